# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes held against each other and against the inventory.

``findings(link, nodes, outside)`` is a pure function: ``link`` is the link model (``aero_link``), ``nodes``
maps the name of each host that was looked at to what aero.link.node_info returned for it, or to
``None`` when it did not answer. A host that is not in ``nodes`` is not judged, and what only it
could tell is not missed: this is how a run under ``--limit`` stays right.
"""

from __future__ import annotations

from ansible_collections.aero.link.plugins.module_utils._verify_clients import CLIENT_CHECKS
from ansible_collections.aero.link.plugins.module_utils._verify_facts import Finding, View
from ansible_collections.aero.link.plugins.module_utils._verify_nodes import NODE_CHECKS


def findings(link, nodes, outside=()):
    """All that is wrong, as sorted :class:`Finding`; ``outside`` names hosts that stand outside the link."""
    view = View(link, nodes)
    wrong = set()
    for check in (*NODE_CHECKS, *CLIENT_CHECKS):
        wrong.update(check(view))
    for host in outside:
        wrong.update(outside_view(view, host))
    return sorted(wrong)


def outside_view(view, host):
    """A host outside knows the service prefixes and no prefix of any Client."""
    node = view.node(host)
    if node is None:
        return
    for asp in view.link["asps"]:
        seen = node["routes"]["inside"].get(asp, {"exact": False, "more_specific": 0, "sample": []})
        if not seen["exact"]:
            yield Finding(host, f"route to the service prefix {asp}", "a route", "none")
        if seen["more_specific"]:
            some = ", ".join(seen["sample"])
            yield Finding(host, f"routes inside {asp}", "none", f"{seen['more_specific']} (such as {some})")


def questions(link, host, probing=False, outside=False):
    """What to ask ``host``: options of aero.link.node_info, with an empty ``gather_subset`` for nothing.

    ``probing`` is true for a host that sends or answers probes of its own, ``outside`` for one that
    stands outside the link.
    """
    asked = {"gather_subset": [], "lookup_prefixes": [], "routes_inside": [], "names": []}
    role = link["hosts"].get(host, {}).get("role")
    if role in ("relay", "server", "client"):
        asked["gather_subset"] = ["all"]
        asked["lookup_prefixes"] = _prefixes_for(link, host, role)
    elif probing or outside:
        asked["gather_subset"] = ["addresses", "routes"]
    if outside:
        asked["routes_inside"] = link["asps"]
    if role == "client" and link["dns_update_server"]:
        records = link["server_names"] + link["capability_names"]
        asked["names"] = [{"name": record["name"], "type": record["type"]} for record in records]
    return asked


def _prefixes_for(link, host, role):
    if role == "client":
        return link["hosts"][host]["acps"]
    acps = [acp for client in link["clients"] for acp in client["acps"]]
    return link["asps"] + acps if role == "relay" else acps
