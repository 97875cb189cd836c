# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the nodes themselves and of what Relays and Servers have between them."""

from __future__ import annotations

import ipaddress

from ansible_collections.aero.link.plugins.module_utils._verify_facts import (
    Finding,
    compare,
    compare_sets,
    families,
    listed,
)

UNITS = {
    "relay": ("aero-interface", "aerod", "bird"),
    "server": ("aero-interface", "aerod", "bird"),
    "client": ("aero-interface", "aerod"),
}
DHCP_UNITS = {
    "kea": ("kea-dhcp6-server",),
    "kea_postgresql": ("postgresql", "kea-dhcp6-server"),
    "isc": ("aero-dhcpd",),
}
FIREWALL_UNIT = "aero-firewall"
EUN_UNIT = "aero-eun"
ANSWERS = ("NOERROR", "NXDOMAIN")


def answering(view):
    """Every node that was asked has answered."""
    for name, node in view.nodes.items():
        if node is None:
            yield Finding(name, "node", "answering", "no answer")


def running(view):
    """The units of the role, the daemon and its interface are up."""
    for name, host, node in view.looked_at("relay", "server", "client"):
        units = [*UNITS[host["role"]]]
        units += DHCP_UNITS[view.link["dhcp_backend"]] if host["role"] == "server" else []
        units += [FIREWALL_UNIT] if host["firewall"] else []
        units += [EUN_UNIT] if host["eun_interface"] else []
        for unit in units:
            state = node["units"].get(unit, {"state": "not installed"})["state"]
            yield from compare(name, f"unit {unit}", "active", state)
        interface = node["interface"]
        state = "absent" if not interface["present"] else "up" if interface["up"] else "down"
        yield from compare(name, f"interface {interface['name']}", "up", state)
        if not node["aerod"]["running"] and node["units"].get("aerod", {}).get("state") == "active":
            yield Finding(name, "aerod", "answering on its control socket", "no answer")
        if host["firewall"] and not node["firewall"]["present"]:
            yield Finding(name, "nftables table inet aero", "present", "absent")


def identity(view):
    """Relays and Servers have the ID of the inventory, in the daemon and on the interface."""
    for name, host, node in view.looked_at("relay", "server"):
        if node["aerod"]["running"]:
            yield from compare(name, "ID of aerod", host["id"], node["aerod"]["status"]["id"])
        wanted = f"{host['link_local']}/64"
        if node["interface"]["present"] and wanted not in node["interface"]["addresses"]:
            found = listed(node["interface"]["addresses"])
            yield Finding(name, f"addresses of {node['interface']['name']}", wanted, found)


def dhcp_keys(view):
    """Servers know the master secrets of the inventory, and each Client signs by the newest."""
    newest_first = view.link["psk_ids"]
    for name, host, node in view.looked_at("server", "client"):
        if node["aerod"]["running"]:
            found = (node["aerod"]["status"]["authentication"] or {"keys": []})["keys"]
            some = newest_first if host["role"] == "server" else newest_first[:1]
            wanted = some if host["has_psk"] else []
            yield from compare(name, "IDs of the DHCPv6 keys", listed(wanted), listed(found))


def permanent_neighbors(view):
    """A Relay has a permanent entry for every Server and for nothing else, a Server for every Relay."""
    for name, _host, node, peers in _infrastructure(view):
        if not node["aerod"]["running"]:
            continue
        wanted = {peer["link_local"]: _canonical(peer["addresses"]) for peer in peers}
        found = {
            entry["link_local"]: _canonical(link["address"] for link in entry["links"])
            for entry in node["neighbors"]["permanent"]
        }
        names = {peer["link_local"]: peer["name"] for peer in peers}
        for address in sorted(wanted | found):
            what = f"permanent neighbor {names.get(address, address)}"
            yield from compare_sets(name, what, wanted.get(address, ()), found.get(address, ()))


def sessions(view):
    """The BGP sessions between Relays and Servers, and of Relays to the outside, are established."""
    for name, host, node, peers in _infrastructure(view):
        if node["bgp"] is None:
            if node["units"].get("bird", {}).get("state") == "active":
                yield Finding(name, "BIRD", "answering on its control socket", "no answer")
            continue
        wanted = {peer["link_local"]: peer for peer in [*peers, *_outside_peers(host)]}
        found = {session["neighbor"]: session for session in node["bgp"]["sessions"]}
        for address, peer in wanted.items():
            what = f"BGP session with {peer['name']} ({address})"
            yield from compare(name, what, f"AS {peer['asn']} Established", _state(found.get(address)))
        for address in sorted(set(found) - set(wanted)):
            if address.startswith("fe80:"):
                yield Finding(name, f"BGP session with {address}", "none", _state(found[address]))


def _outside_peers(host):
    for peer in host["bgp_outside"]:
        yield {"name": peer["name"], "asn": peer["asn"], "link_local": peer["address"]}


def _state(session):
    if session is None:
        return "none"
    error = f" ({session['error']})" if session["error"] else ""
    return f"AS {session['asn']} {session['state']}{'' if session['state'] == 'Established' else error}"


def tables(view):
    """Every Server has the table of the inventory, and its DHCPv6 server answers by it."""
    table = view.link["acp_table"]
    for name, _host, node in view.looked_at("server"):
        server = node["delegated"]
        if server is None:
            continue
        yield from compare(name, "DHCP back end", view.link["dhcp_backend"], server["backend"])
        wanted = f"{table['sha256']} ({table['rows']} Clients)"
        found = f"{server['table_hash']} ({server['reservations']} Clients)"
        yield from compare(name, "ACP table", wanted, found)
        if not server["listening"]:
            yield Finding(name, "DHCP server", "listening", "not so")
        if not server["table_loaded"]:
            yield Finding(name, "DHCP server", "running with the installed configuration", "not so")


def default_routes(view):
    """A Server's default goes to a Relay, in the table that only aerod reads (D15)."""
    relays = {relay["link_local"] for relay in view.link["relays"]}
    for name, _host, node in view.looked_at("server"):
        for family in families(view.link["asps"]) if node["bgp"] else ():
            found = {route["via"] for route in node["routes"]["policy_table"][family]}
            if not found & relays:
                what = f"{family} default in table 8060, next hop"
                yield Finding(name, what, f"one of {listed(sorted(relays))}", listed(sorted(found)))


def consistency(view):
    """Lease, neighbor entry, kernel route and announcement of a prefix are equal, and survive a restart."""
    for name, _host, node in view.looked_at("relay", "server", "client"):
        for mismatch in node["mismatches"]:
            some = listed(mismatch["sample"])
            sample = f" (such as {some})" if mismatch["sample"] else ""
            yield Finding(name, mismatch["name"], "none", f"{mismatch['count']}{sample}")
        error = node["aerod"]["running"] and node["aerod"]["status"].get("save_error")
        if error:
            yield Finding(name, "state of aerod", "saved", error)


def service_prefixes(view):
    """A Relay answers for what no Client has: each service prefix is unreachable there (D19)."""
    acps = {acp for client in view.link["clients"] for acp in client["acps"]}
    for name, _host, node in view.looked_at("relay"):
        for asp in sorted(set(view.link["asps"]) - acps) if node["bgp"] else ():
            types = [route["type"] for route in node["routes"]["lookup"].get(asp, [])]
            if "unreachable" not in types:
                yield Finding(name, f"kernel route to {asp}", "unreachable", listed(types))


def names(view):
    """The names of the link resolve, to exactly what the inventory says."""
    if not view.link["dns_update_server"]:
        return
    wanted = {(record["name"], record["type"]): record["values"] for record in view.link["server_names"]}
    for record in view.link["capability_names"]:
        wanted[record["name"], record["type"]] = [record["value"]]
    for host, _model, node in view.looked_at("client"):
        answers = {(answer["name"], answer["type"]): answer for answer in node["names"]}
        for question, values in wanted.items():
            answer = answers.get(question, {"rcode": "not asked", "values": []})
            if set(answer["values"]) == set(values):
                continue
            if answer["rcode"] in ANSWERS:
                found = listed(answer["values"]) if answer["values"] else answer["rcode"]
                yield Finding(host, "name {} {}".format(*question), listed(sorted(values)), found)
            else:
                # One line for a server that is silent or refuses, not one for each name.
                yield Finding(host, "names of the link", "answers", answer["rcode"])


def _infrastructure(view):
    """Each Relay with all Servers as its peers, each Server with all Relays."""
    for name, host, node in view.looked_at("relay", "server"):
        peers = view.link["servers" if host["role"] == "relay" else "relays"]
        yield name, host, node, peers


def _canonical(addresses):
    return sorted(str(ipaddress.ip_address(address)) for address in addresses)


NODE_CHECKS = (
    answering,
    running,
    identity,
    dhcp_keys,
    permanent_neighbors,
    sessions,
    tables,
    default_routes,
    consistency,
    service_prefixes,
    names,
)
