# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether nodes can talk over the underlay: have they addresses of one IP family, and are these right?"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.aero.link.plugins.module_utils._model_checks import Draft
from ansible_collections.aero.link.plugins.module_utils._variables import CLIENT, RELAY, SERVER


def check_reach(draft: Draft) -> None:
    """Costs time in proportion to the number of hosts, as the checks of _model_checks.py do."""
    families = {host: _families(values.get("underlays")) for host, values in draft.hosts.items()}
    _check_relays_and_servers(draft, families)
    _check_configured_servers(draft, families)


def _families(underlays: t.Sequence[t.Mapping[str, t.Any]] | None) -> frozenset[str]:
    addresses = [address for underlay in underlays or [] for address in underlay.get("addresses") or []]
    return frozenset("IPv6" if ":" in address else "IPv4" for address in addresses)


def _check_relays_and_servers(draft: Draft, families: t.Mapping[str, frozenset[str]]) -> None:
    """Each Server has BGP sessions with all Relays. Who has both families reaches everybody, so only those
    with one are held against each other; the fewer ones are told."""
    only = collections.defaultdict(list)
    for host in draft.of_role(RELAY, SERVER):
        only[draft.roles[host], families[host]].append(host)
    ipv4, ipv6 = frozenset({"IPv4"}), frozenset({"IPv6"})
    for relays, servers in ((ipv4, ipv6), (ipv6, ipv4)):
        sides = [(only[RELAY, relays], *relays, RELAY), (only[SERVER, servers], *servers, SERVER)]
        (told, family, _role), (others, needed, role) = sorted(sides, key=lambda side: len(side[0]))
        for host in told:
            draft.at(host, "underlays").refuse(
                f"{family} alone", f"only {needed} reaches the {role.title()} {_named(others)}; "
                "allowed: addresses of one family on all Relays and Servers, or of both")


def _check_configured_servers(draft: Draft, families: t.Mapping[str, frozenset[str]]) -> None:
    for host in draft.of_role(CLIENT):
        for position, name in enumerate(draft.hosts[host]["client_configured_servers"] or []):
            own, its = families[host], families.get(name)
            if draft.roles.get(name) == SERVER and own and its and not own & its:
                draft.at(host, f"client_configured_servers[{position}]").refuse(
                    name, f"only {min(its)} reaches it, and aero_underlays have {min(own)} alone; "
                    "allowed: Servers with an address of the Client's family")


def strange_servers(link: t.Mapping[str, t.Any]) -> list[str]:
    """A warning for each address that Clients take for a Server's, and no Server has."""
    known = {address for server in link["servers"] for address in server["addresses"]}
    clients = collections.defaultdict(list)
    for client in link["clients"]:
        for address in set(link["hosts"][client["name"]]["client_server_addresses"]) - known:
            clients[address].append(client["name"])
    return [f"aero_client_server_addresses of {_named(hosts)}: {address} is no address of a Server of this "
            "inventory. It is right only for a Server behind a NAT, or one that is managed elsewhere."
            for address, hosts in sorted(clients.items())]


def _named(hosts: t.Sequence[str]) -> str:
    """The first of the hosts, and how many more there are."""
    return " and ".join([*hosts[:1], *([f"{len(hosts) - 1} more"] if len(hosts) > 1 else [])])
