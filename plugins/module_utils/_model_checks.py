# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold between the values of an inventory, each of which is right by itself.

Each check costs time in proportion to the number of hosts. A value that was refused before is None
and is passed over here.
"""

from __future__ import annotations

import collections
import itertools
import typing as t

from ansible_collections.aero.link.plugins.module_utils._model_values import NOT_SHOWN, Place, closest
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixSet,
    parse_address,
)
from ansible_collections.aero.link.plugins.module_utils._variables import (
    CLIENT,
    RELAY,
    ROLE_GROUPS,
    SERVER,
)

ALL_HOSTS = "all hosts"


class Draft(t.NamedTuple):
    """The inventory while it is checked. Variables go by their names without ``aero_``.

    ``of_any_host`` and ``known_hosts`` have the hosts outside the link, too.
    """

    errors: list[tuple[str, str]]
    roles: dict[str, str]
    name_servers: list[str]
    link: dict[str, t.Any]
    hosts: dict[str, dict[str, t.Any]]
    of_any_host: dict[str, dict[str, t.Any]]
    known_hosts: frozenset[str]

    def of_role(self, *roles: str) -> list[str]:
        return [host for host, role in self.roles.items() if role in roles]

    def at(self, host: str, variable: str) -> Place:
        return Place(self.errors, host, f"aero_{variable}")


def check_all(draft: Draft) -> None:
    check_groups(draft)
    check_service_prefixes(draft)
    check_lifetimes(draft)
    check_neighbor_timers(draft)
    check_encapsulation(draft)
    check_signatures(draft)
    check_zones(draft)
    check_updates(draft)
    check_identifiers(draft)
    check_as_numbers(draft)
    check_outside_peers(draft)
    check_underlays(draft)
    check_servers_can_be_found(draft)
    check_configured_servers(draft)
    check_authentication(draft)
    check_group(draft)
    check_probes(draft)


def check_groups(draft: Draft) -> None:
    for group, role in ROLE_GROUPS.items():
        if role != CLIENT and not draft.of_role(role):
            Place(draft.errors, ALL_HOSTS, group).refuse("[]", f"the link has no {role.title()}; "
                                                         f"allowed: one host or more in the group {group}")


def check_service_prefixes(draft: Draft) -> None:
    asps = draft.link["asps"] or []
    at = draft.at(ALL_HOSTS, "asps")
    if draft.link["asps"] == []:
        at.refuse("[]", "the link has no service prefix; allowed: one prefix or more")
    for asp, times in sorted(collections.Counter(asps).items()):
        if times > 1:
            at.refuse(asp, "there twice; allowed: each prefix once (one inside another is fine)")


def check_lifetimes(draft: Draft) -> None:
    order = ["lease_renew", "lease_rebind", "lease_preferred", "lease_valid"]
    for earlier, later in itertools.pairwise(order):
        low, high = draft.link[earlier], draft.link[later]
        if low is None or high is None or low < high or (low == high and later == "lease_valid"):
            continue
        draft.at(ALL_HOSTS, earlier).refuse(low, f"too long beside aero_{later} = {high}; allowed: "
                                            "renew < rebind < preferred <= valid")


def check_encapsulation(draft: Draft) -> None:
    """Only the AERO header has room for a checksum, and only UDP has a port."""
    encapsulation, port = draft.link["encapsulation"], draft.link["port"]
    if encapsulation == "raw" and port:
        draft.at(ALL_HOSTS, "port").refuse(
            port, "of no use with aero_encapsulation = raw, which has no UDP; allowed: 8060, the default")
    if encapsulation == "raw" and draft.link["underlay_multicast"]:
        draft.at(ALL_HOSTS, "underlay_multicast").refuse(
            "true", "of no use with aero_encapsulation = raw, which has no UDP; allowed: false")
    if draft.link["header_checksum"] and encapsulation in ("gue", "raw"):
        draft.at(ALL_HOSTS, "header_checksum").refuse(
            "true", f"of no use with aero_encapsulation = {encapsulation}; allowed: false")


def check_signatures(draft: Draft) -> None:
    """Only the AERO header has room for signatures (O-4), and they need keys."""
    encapsulation, required = draft.link["encapsulation"], draft.link["require_signature"]
    secrets = draft.link["signature_secrets"]
    if required and secrets == []:
        draft.at(ALL_HOSTS, "signature_secrets").refuse(
            "[]", "needed since aero_require_signature is true; allowed: one secret or more, each with id "
            "and secret, such as openssl rand -hex 32 prints")
    if encapsulation in ("gue", "raw") and (required or secrets):
        variable, value = ("require_signature", "true") if required else ("signature_secrets", NOT_SHOWN)
        draft.at(ALL_HOSTS, variable).refuse(
            value, f"aero_encapsulation = {encapsulation} has no room for signatures; allowed: "
            f"{'false' if required else 'no secrets'}, or aero_encapsulation = plain")


def check_neighbor_timers(draft: Draft) -> None:
    """What is still sent straight must still be accepted (draft-templin-aerolink-52 section 3.8)."""
    forward, accept = draft.link["forward_time"], draft.link["accept_time"]
    if forward is not None and accept is not None and accept <= forward:
        draft.at(ALL_HOSTS, "accept_time").refuse(
            f"{accept:g}", f"too short; allowed: more than aero_forward_time = {forward:g}")


def check_zones(draft: Draft) -> None:
    domain = draft.link["domain"]
    names = {"dns_zone": domain and f"linkupnetworks.{domain}",
             "capability_zone": draft.link["capability_suffix"]}
    for variable, name in names.items():
        zone = draft.link[variable]
        if zone and name and not f".{name}".endswith(f".{zone}"):
            draft.at(ALL_HOSTS, variable).refuse(zone, f"does not hold {name}; allowed: a zone that it is in")


def check_updates(draft: Draft) -> None:
    """Dynamic updates are signed (RFC 8945): both ends need the key."""
    sender = draft.link["dns_update_from"]
    if sender and sender not in draft.known_hosts | {"localhost"}:
        hint = closest(sender, draft.known_hosts)
        draft.at(ALL_HOSTS, "dns_update_from").refuse(
            sender, f"not in the inventory; {hint}allowed: a host of the inventory, or localhost")
    if not draft.link["dns_update_server"] and not draft.name_servers:
        return
    reason = "needed to publish names (aero_dns_update_server or a host in aero_name_servers)"
    for variable, what in (("dns_tsig_name", "name"), ("dns_tsig_secret", "secret in base64")):
        if draft.link[variable] == "":
            draft.at(ALL_HOSTS, variable).refuse("", f"{reason}; allowed: the {what} of the TSIG key")


def check_identifiers(draft: Draft) -> None:
    owner: dict[int, str] = {}
    for host in draft.of_role(RELAY, SERVER):
        identifier, origin = draft.hosts[host]["id"], draft.hosts[host]["id_origin"]
        if identifier is None:
            continue
        first = owner.setdefault(identifier, host)
        if first != host:
            draft.at(host, "id").refuse(f"{identifier}{origin}", f"already the ID of {first}; "
                                        "allowed: each Relay and Server its own ID, set as aero_id or by "
                                        "another aero_id_base for the group")


def check_as_numbers(draft: Draft) -> None:
    relays = draft.link["bgp_relay_asn"]
    owner = {relays: "the Relays (aero_bgp_relay_asn)"}
    for host in draft.of_role(SERVER):
        asn = draft.hosts[host]["asn"]
        if asn is None:
            continue
        if asn > 4294967294:
            draft.at(host, "bgp_asn").refuse(None, "allowed: 1 to 4294967294, to be set here, since "
                                             "4200000000 + aero_id is more than that")
            continue
        first = owner.setdefault(asn, host)
        if first != host:
            draft.at(host, "bgp_asn").refuse(asn, f"already the AS number of {first}; "
                                             "allowed: each Server its own, the Relays one together")


def check_outside_peers(draft: Draft) -> None:
    inside = PrefixSet(draft.link["asps"] or [])
    for host in draft.of_role(RELAY):
        seen: dict[tuple[str, object], int] = {}
        for position, peer in enumerate(draft.hosts[host]["bgp_outside"] or []):
            at = draft.at(host, f"bgp_outside[{position}]")
            for key in ("name", "address"):
                first = seen.setdefault((key, peer.get(key)), position)
                if first != position and peer.get(key) is not None:
                    why = f"already in aero_bgp_outside[{first}]; allowed: each once"
                    (at / f".{key}").refuse(peer[key], why)
            if peer["address"]:
                _check_outside(at / ".address", peer["address"], inside)
            if peer["asn"] is not None and peer["asn"] == draft.link["bgp_relay_asn"]:
                (at / ".asn").refuse(peer["asn"], "the Relays' own; allowed: the AS number of the other side")


def check_underlays(draft: Draft) -> None:
    inside = PrefixSet(draft.link["asps"] or [])
    owner: dict[str, str] = {}
    for host, values in draft.hosts.items():
        for position, address in enumerate(values.get("client_server_addresses") or []):
            _check_outside(draft.at(host, f"client_server_addresses[{position}]"), address, inside)
        if values.get("underlays") == []:
            draft.at(host, "underlays").refuse("[]", "no underlay; allowed: one or more")
        for position, underlay in enumerate(values.get("underlays") or []):
            at = draft.at(host, f"underlays[{position}]")
            if underlay.get("addresses", []) == [] and draft.roles[host] != CLIENT:
                role = draft.roles[host].title()
                (at / ".addresses").refuse("[]", f"none, and others must know where this {role} is; "
                                           "allowed: one address or more")
            for number, address in enumerate(underlay.get("addresses") or []):
                _check_underlay_address(at / f".addresses[{number}]", address, inside, owner)
        _check_own_interfaces(draft, host)


def _check_underlay_address(at: Place, address: str, inside: PrefixSet, owner: dict[str, str]) -> None:
    first = owner.setdefault(address, f"{at.name} of {at.host}")
    if first != f"{at.name} of {at.host}":
        at.refuse(address, f"already {first}; allowed: each address on one host")
    _check_outside(at, address, inside)


def _check_outside(at: Place, address: str, inside: PrefixSet) -> None:
    asp = inside.covering(Prefix(parse_address(address), 128))
    if asp:
        at.refuse(address, f"inside the ASP {asp}, which is reached through the link itself; "
                  "allowed: addresses outside every ASP")


def _check_own_interfaces(draft: Draft, host: str) -> None:
    """Interfaces and Link IDs of one host: each once."""
    seen: dict[tuple[str, object], str] = {}
    places = [(key, underlay.get(key), f"underlays[{position}].{key}")
              for position, underlay in enumerate(draft.hosts[host].get("underlays") or [])
              for key in ("interface", "link_id")]
    places.append(("interface", draft.hosts[host].get("eun_interface") or None, "eun_interface"))
    for key, value, name in places:
        first = seen.setdefault((key, value), name)
        if first != name and value is not None:
            what = key.replace("_", " ")
            draft.at(host, name).refuse(value, f"already aero_{first}; allowed: each {what} once")


def check_client_ids(draft: Draft, acps_of: t.Mapping[str, object], table: str) -> None:
    owner: dict[str, str] = {}
    for host in draft.of_role(CLIENT):
        client_id = draft.hosts[host]["client_id"]
        if client_id is None:
            continue
        first = owner.setdefault(client_id, host)
        at = draft.at(host, "client_id")
        if first != host:
            at.refuse(client_id, f"already the Client ID of {first}; allowed: each Client its own")
        if client_id not in acps_of:
            at.refuse(client_id, f"not in the ACP table; allowed: a client_id of {table}")


def check_servers_can_be_found(draft: Draft) -> None:
    if draft.link["underlay_multicast"]:
        return
    for host in draft.of_role(CLIENT):
        if draft.hosts[host]["client_configured_servers"]:
            continue
        if draft.hosts[host]["client_server_addresses"] == [] and draft.link["dns_update_server"] == "":
            draft.at(host, "client_server_addresses").refuse(
                "[]", "the Client cannot find Servers, since nothing publishes linkupnetworks.<aero_domain>; "
                "allowed: addresses of Servers here, an aero_dns_update_server, or "
                "aero_underlay_multicast = true")


def check_configured_servers(draft: Draft) -> None:
    """A Client without DHCPv6 and its Servers know each other's addresses from the inventory."""
    servers = draft.of_role(SERVER)
    for host in draft.of_role(CLIENT):
        values = draft.hosts[host]
        names = values["client_configured_servers"] or []
        for position, name in enumerate(names):
            at = draft.at(host, f"client_configured_servers[{position}]")
            if name not in servers:
                hint = closest(name, servers)
                at.refuse(name, f"no Server of the link; {hint}allowed: hosts of aero_servers")
            elif name in names[:position]:
                at.refuse(name, "there twice; allowed: each Server once")
        for position, underlay in enumerate((names and values["underlays"]) or []):
            if underlay.get("addresses", []) == []:
                draft.at(host, f"underlays[{position}].addresses").refuse(
                    "[]", "none, and the Servers must know where this Client is, since "
                    "aero_client_configured_servers is set; allowed: one address or more")


def check_group(draft: Draft) -> None:
    """What is signed is signed for one Server, and all of them hear a group."""
    signed = draft.link["dhcp_authentication"] == "psk" or draft.link["signature_secrets"]
    if draft.link["underlay_multicast"] and signed:
        draft.at(ALL_HOSTS, "underlay_multicast").refuse(
            "true", "of no use where messages are signed (aero_dhcp_authentication = psk, "
            "aero_signature_secrets); allowed: false")


def check_authentication(draft: Draft) -> None:
    """Pre-shared keys need a secret that they follow from."""
    if draft.link["dhcp_authentication"] == "psk" and draft.link["psk_secrets"] == []:
        draft.at(ALL_HOSTS, "psk_secrets").refuse(
            "[]", "needed for aero_dhcp_authentication = psk; allowed: on the Servers, one secret or more, "
            "newest first, such as {id: 1, secret: what openssl rand -hex 32 prints}")


def check_probes(draft: Draft) -> None:
    """What playbooks/verify.yml shall send beyond what it thinks of by itself."""
    for host, values in draft.of_any_host.items():
        for position, probe in enumerate(values["verify_probes"] or []):
            at, name = draft.at(host, f"verify_probes[{position}]"), probe.get("to_host")
            if ("to" in probe) == ("to_host" in probe):
                at.refuse(" and ".join(sorted(probe.keys() & {"to", "to_host"})) or "{}",
                          "no destination, or two; allowed: exactly one of the keys to and to_host")
            if name and name not in draft.known_hosts:
                (at / ".to_host").refuse(name, f"not in the inventory; {closest(name, draft.known_hosts)}"
                                         "allowed: a host of the inventory")
