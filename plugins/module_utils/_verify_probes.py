# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets prove the link, made of the model and the nodes' facts, and what their loss means.

A probe is a target of aero.link.probe; its ``label`` says in words where it goes.
"""

from __future__ import annotations

import collections

from ansible_collections.aero.link.plugins.module_utils._verify_facts import (
    Finding,
    View,
    address_within,
    families,
)

SMALL = 64
FULL = 1500
# What the kernel itself admits to link-local destinations on the AERO interface (D20).
LINK_LOCAL_FULL = 1280


def plan(link, nodes, wanted):
    """The probes of each host, and findings where an address that should be probed is missing.

    ``wanted`` maps hosts to their ``aero_verify_probes``.
    """
    view = View(link, nodes)
    probes = collections.defaultdict(list)
    missing = set()
    for host, target in (*_tunnels(view), *_ring(view)):
        probes[host].append(target)
    for host, entries in sorted(wanted.items()):
        for entry in entries:
            for found in _own(view, entry):
                if isinstance(found, Finding):
                    missing.add(found)
                else:
                    probes[host].append(found)
    return dict(probes), sorted(missing)


def _tunnels(view):
    """Between each Server and each Relay, and each Client and the Servers it has leases from."""
    for name, _host, node in view.looked_at("server"):
        for relay in view.link["relays"]:
            yield from _tunnel(name, node, relay["link_local"], relay["name"])
    for name, _host, node in view.looked_at("client"):
        for link_local in view.leases_held(name):
            yield from _tunnel(name, node, link_local, view.server_name(link_local))


def _tunnel(name, node, link_local, label):
    for size in (SMALL, LINK_LOCAL_FULL):
        address = f"{link_local}%{node['interface']['name']}"
        yield name, _target(address, size, f"{label} (tunnel)")


def _ring(view):
    """From each Client to the next one, with addresses of their ACPs."""
    clients = list(view.looked_at("client"))
    if len(clients) < 2:
        return
    following = clients[1:] + clients[:1]
    for (name, host, node), (peer, peer_host, peer_node) in zip(clients, following, strict=True):
        for family in families(host["acps"]):
            source = address_within(node, host["acps"], family)
            destination = address_within(peer_node, peer_host["acps"], family)
            if source and destination:
                for size in (SMALL, FULL):
                    yield name, {**_target(destination, size, f"{peer} {family}"), "from": source}


def _own(view, entry):
    """The probes of one entry of ``aero_verify_probes``, or what stands against them."""
    for family, address in _destinations(view, entry):
        label = entry.get("to_host") or entry["to"]
        if address is None:
            within = ", ".join(entry.get("within") or view.link["asps"])
            yield Finding(label, f"{family} address inside {within}", "one", "none")
            continue
        for size in entry.get("sizes") or (SMALL, FULL):
            target = _target(address, size, f"{label} {family}" if family else label)
            target["expect"] = entry.get("expect", "reachable")
            if entry.get("from"):
                target["from"] = entry["from"]
            yield target


def _destinations(view, entry):
    """Pairs of family and address; the address is ``None`` when the host named has none."""
    if "to" in entry:
        yield "", entry["to"]
        return
    node = view.node(entry["to_host"])
    if node is None:
        return
    within = entry.get("within") or view.link["asps"]
    for family in entry.get("families") or families(within):
        yield family, address_within(node, [p for p in within if families([p]) == [family]], family)


def _target(address, size, label):
    return {"to": address, "size": size, "label": label}


def losses(sent):
    """Findings for the probes in ``sent``, a map of hosts to the results of aero.link.probe."""
    for host, results in sorted(sent.items()):
        for result in results:
            if not result["ok"]:
                what = f"{result['size']}-byte packets to {result['label']} [{result['to']}]"
                error = f" ({result['error']})" if result["error"] else ""
                wanted = "all answered" if result["expect"] == "reachable" else "none answered"
                found = f"{result['received']} of {result['sent']} answered{error}"
                yield Finding(host, what, wanted, found)
