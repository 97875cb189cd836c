# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the Clients: lease, neighbor entry, kernel route and BGP route of each must agree.

What only follows from another finding is left out: a Client without lease needs no line for each
route it does not have.
"""

from __future__ import annotations

from ansible_collections.aero.link.plugins.module_utils._verify_facts import (
    Finding,
    address_within,
    compare_sets,
    families,
    is_ipv4,
    listed,
)

AEROD_PROTOCOL = "128"
POLICY_TABLE = "8060"


def leases(view):
    """A Client has its leases at as many Servers as it wants, each with exactly its ACPs.

    One without DHCPv6 has them of exactly the Servers that its configuration names.
    """
    for name, host, node in view.looked_at("client"):
        if not node["aerod"]["running"]:
            continue
        held = view.leases_held(name)
        if host["client_configured_servers"]:
            answering = [view.server_name(at) for at, lease in held.items() if not lease["silent"]]
            yield from compare_sets(name, "Servers", host["client_configured_servers"], answering)
        else:
            yield from _enough(view, name, host, node)
        for link_local, lease in held.items():
            prefixes = [entry["prefix"] for entry in lease["prefixes"]]
            server = view.server_name(link_local)
            yield from compare_sets(name, f"prefixes leased by {server}", host["acps"], prefixes)


def _enough(view, name, host, node):
    wanted = min(host["client_servers"], len(view.link["servers"]))
    if len(view.leases_held(name)) < wanted:
        states = (f"{_server_of(view, lease)} {lease['state']}" for lease in node["leases"])
        yield Finding(name, "leases", f"bound at {wanted} Servers", listed(states))


def _server_of(view, lease):
    """The Server's name, or as long as it has not answered its underlay address."""
    return view.server_name(lease["server"]) if lease["server"] else lease["server_address"]


def _leasing(view):
    """The Clients that have a lease."""
    return ((name, host, node) for name, host, node in view.looked_at("client") if view.leases_held(name))


def policy_routing(view):
    """What comes from its ACPs goes through the tunnel, what no end network has goes nowhere (D15, D18)."""
    for name, host, node in _leasing(view):
        routes = node["routes"]
        for acp in host["acps"]:
            types = [route["type"] for route in routes["lookup"].get(acp, [])]
            if "unreachable" not in types:
                yield Finding(name, f"kernel route to {acp}", "unreachable", listed(types))
        for family in families(host["acps"]):
            devices = [route.get("dev") for route in routes["policy_table"][family]]
            if node["interface"]["name"] not in devices:
                wanted = f"dev {node['interface']['name']}"
                yield Finding(name, f"{family} default in table {POLICY_TABLE}", wanted, listed(devices))
            if POLICY_TABLE not in [str(rule.get("table")) for rule in routes["rules"][family]]:
                yield Finding(name, f"{family} policy rules", f"one for table {POLICY_TABLE}", "none")


def end_networks(view):
    """A Client has an address of each ACP, on the interface to its end network or, without one, on lo."""
    for name, host, node in _leasing(view):
        interface = host["eun_interface"] or "lo"
        for acp in host["acps"]:
            family = "ipv4" if is_ipv4(acp) else "ipv6"
            if address_within(node, [acp], family, interface) is None:
                yield Finding(name, f"address of {acp} on {interface}", "one", "none")


def at_servers(view):
    """Each Server that leases to a Client has its static neighbor entry and a kernel route to its ACPs."""
    servers = {server["link_local"]: server["name"] for server in view.link["servers"]}
    for client in view.link["clients"]:
        for link_local in view.leases_held(client["name"]) or ():
            server = view.node(servers.get(link_local))
            if server is None or not server["aerod"]["running"]:
                continue
            for acp in client["acps"]:
                yield from _at_server(servers[link_local], server, client["name"], acp)


def _at_server(name, server, client, acp):
    entry = neighbor_of(server["neighbors"]["lookup"].get(acp))
    if acp not in entry["prefixes"] or entry["kind"] != "static":
        found = f"{entry['kind']} with {listed(entry['prefixes'])}" if entry["kind"] else "none"
        yield Finding(name, f"neighbor entry of {client}", f"static with {acp}", found)
    routes = server["routes"]["lookup"].get(acp, [])
    device = server["interface"]["name"]
    if not any((route.get("dev"), route.get("protocol")) == (device, AEROD_PROTOCOL) for route in routes):
        wanted = f"dev {device} proto {AEROD_PROTOCOL}"
        yield Finding(name, f"kernel route to {acp} of {client}", wanted, _routes_text(routes))


def neighbor_of(answer):
    """The neighbor entry in aerod's answer to ``lookup``, an empty one when nothing was found."""
    entry = (answer or {}).get("neighbor", answer) or {}
    return {"kind": entry.get("kind", ""), "prefixes": entry.get("prefixes", [])}


def at_relays(view):
    """Each Relay reaches a Client through one of its Servers, in BIRD and in the kernel alike."""
    for name, _host, node in view.looked_at("relay"):
        if node["bgp"] is None:
            continue
        for client in view.link["clients"]:
            allowed = view.next_hops(client["name"])
            for acp in client["acps"] if allowed else ():
                wanted = f"via {listed(sorted(view.server_name(address) for address in allowed))}"
                what = f"route to {acp} of {client['name']}"
                hops = [route["via"] for route in node["routes"]["lookup"].get(acp, [])]
                if not allowed.intersection(hops):
                    yield Finding(name, f"kernel {what}", wanted, _via_text(view, hops))
                learned = [route["via"] for route in node["bgp"]["lookup"].get(acp, []) if route["best"]]
                if not allowed.intersection(learned):
                    yield Finding(name, f"BGP {what}", wanted, _via_text(view, learned))


def _via_text(view, hops):
    return f"via {listed(view.server_name(hop) for hop in hops)}" if hops else "none"


def _routes_text(routes):
    return listed(f"{route['type']} dev {route.get('dev')} proto {route.get('protocol')}" for route in routes)


CLIENT_CHECKS = (leases, policy_routing, end_networks, at_servers, at_relays)
