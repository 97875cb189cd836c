# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of verify have in common: the finding, and the view of inventory and nodes together."""

from __future__ import annotations

import ipaddress
import typing as t

HOLDING = ("bound", "renewing")


class Finding(t.NamedTuple):
    """One fact that is wrong. The text is one line that begins with the host."""

    host: str
    what: str
    expected: str
    found: str

    def __str__(self):
        return f"{self.host}: {self.what}: expected {self.expected}, found {self.found}"


def listed(values):
    """``values`` as a text for people."""
    return ", ".join(str(value) for value in values) or "none"


def compare(host, what, expected, found):
    """A finding when ``found`` is not what was expected."""
    if expected != found:
        yield Finding(host, what, str(expected), str(found))


def compare_sets(host, what, expected, found):
    """A finding when the two hold different things, in whatever order."""
    if set(expected) != set(found):
        yield Finding(host, what, listed(sorted(expected)), listed(sorted(found)))


def is_ipv4(prefix):
    return ":" not in prefix


def families(prefixes):
    """The families that occur in ``prefixes``, as ``ipv4`` and ``ipv6``."""
    return sorted({"ipv4" if is_ipv4(prefix) else "ipv6" for prefix in prefixes})


def inside(address, prefix):
    """Whether ``address`` is one of ``prefix``."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)


def address_within(node, prefixes, family, interface=None):
    """The first address of a family that ``node`` has inside one of ``prefixes``, ``None`` without one."""
    for entry in node["addresses"]:
        address = entry["address"]
        if families([address]) != [family] or (interface and entry["interface"] != interface):
            continue
        if any(inside(address, prefix) for prefix in prefixes):
            return address
    return None


class View:
    """The link model and the nodes' facts, with the look-ups that go from one to the other."""

    def __init__(self, link, nodes):
        self.link = link
        self.nodes = nodes
        self._server_names = {server["link_local"]: server["name"] for server in link["servers"]}

    def node(self, name):
        """The facts of ``name``, ``None`` when it was not looked at or did not answer."""
        return self.nodes.get(name)

    def looked_at(self, *roles):
        """``(name, model, facts)`` of each node of these roles that answered."""
        for name, host in sorted(self.link["hosts"].items()):
            if host["role"] in roles and self.node(name) is not None:
                yield name, host, self.nodes[name]

    def leases_held(self, client):
        """``{Server's link-local address: lease}`` of a Client, ``None`` when it was not looked at."""
        node = self.node(client)
        if node is None:
            return None
        return {lease["server"]: lease for lease in node["leases"] if lease["state"] in HOLDING}

    def server_name(self, link_local):
        return self._server_names.get(link_local, link_local)

    def next_hops(self, client):
        """The link-local addresses through which ``client`` may be reached: its Servers, as far as known."""
        held = self.leases_held(client)
        return set(self._server_names) if held is None else set(held)
