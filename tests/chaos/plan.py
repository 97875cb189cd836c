# SPDX-License-Identifier: GPL-3.0-or-later
"""The link that is maltreated: two Relays, three Servers, any number of Clients, and their configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.role_templates import template

ASPS = ("2001:db8::/32", "100.64.0.0/10")
PASSWORD = "chaos"
RELAY_ASN = 64512
# Short enough that leases are renewed, and those of nobody end, while the test runs.
VALID = 80
# A Client without line asks again so soon, however long it has been without: the least that is allowed.
RETRY = 60
LEASES = {
    "lease_preferred": 70, "lease_valid": VALID, "lease_renew": 30, "lease_rebind": 50, "lease_retry": RETRY,
}  # fmt: skip
KEEPALIVE = 5
CLIENT_NETWORK = "10.1.0.0/16"
ASSOCIATIONS = 2


@dataclass(frozen=True)
class Node:
    """A Relay or Server."""

    name: str
    role: str
    id: int

    @property
    def address(self) -> str:
        return f"10.0.0.{self.id}"

    @property
    def link_local(self) -> str:
        return f"fe80::{self.id:x}"

    @property
    def asn(self) -> int:
        return RELAY_ASN if self.role == "relay" else 4200000000 + self.id


NODES = {
    node.name: node
    for node in (
        Node("r1", "relay", 1), Node("r2", "relay", 2),
        Node("s1", "server", 11), Node("s2", "server", 12), Node("s3", "server", 13),
    )
}  # fmt: skip
SERVERS = [node for node in NODES.values() if node.role == "server"]
RELAYS = [node for node in NODES.values() if node.role == "relay"]


def duid(number: int) -> str:
    """The DUID of a Client, in hex."""
    return f"00020000b0e2{number:08x}"


def acps(number: int) -> tuple[str, str]:
    """The prefixes of a Client: the n-th /64 and the n-th /28."""
    ipv4 = (100 << 24) + (64 << 16) + (number << 4)
    return f"2001:db8:0:{number:x}::/64", ".".join(str(ipv4 >> bits & 255) for bits in (24, 16, 8, 0)) + "/28"


def client_address(number: int, place: int) -> str:
    """Where a Client is: each of its places is another address."""
    return f"10.1.{place * 8 + (number >> 8)}.{number & 255}"


def aerod_toml(node: Node, run: Path) -> str:
    """The configuration of aerod."""
    others = RELAYS if node.role == "server" else SERVERS
    parts = [
        f'[node]\nname = "{node.name}"\nrole = "{node.role}"\nid = {node.id}',
        f'[link]\ndomain = "example.net"\nasps = {json.dumps(ASPS)}\nkeepalive = {KEEPALIVE}',
        "move_interval = 5\ndamping_limit = 0",
        f'[[underlay]]\ninterface = "eth0"\nlink_id = 0\naddresses = ["{node.address}"]',
        f'[server]\nkea_socket = "{run}/kea.sock"' if node.role == "server" else "",
    ]
    neighbor = '[[neighbor]]\nname = "{}"\nid = {}\naddresses = ["{}"]'
    parts += [neighbor.format(other.name, other.id, other.address) for other in others]
    if node.role == "server":
        other_server = neighbor.replace("neighbor", "other_server")
        parts += [other_server.format(o.name, o.id, o.address) for o in SERVERS if o is not node]
    return "\n".join(parts) + "\n"


def bird_conf(node: Node, log: Path) -> str:
    """The role's own bird.conf, but for where it logs to."""
    described = {
        each.name: {
            "name": each.name, "id": each.id, "link_local": each.link_local, "asn": each.asn,
            "router_id": f"0.0.0.{each.id}", "bgp_outside": [],
        }
        for each in NODES.values()
    }  # fmt: skip
    link = {
        "asps": ASPS, "port": 8060, "bgp_relay_asn": RELAY_ASN, "bgp_import_limit": 10000,
        "relays": [described[relay.name] for relay in RELAYS],
        "servers": [described[server.name] for server in SERVERS], "hosts": described,
    }  # fmt: skip
    text = template(node.role, "bird.conf.j2").render(
        aero_link=link, inventory_hostname=node.name, aero_bgp_password=PASSWORD, aero_bgp_outside=[]
    )
    return text.replace("log syslog all;", f'log "{log}" all;')
