# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on the bench, and their addresses."""

from __future__ import annotations

from dataclasses import dataclass

ASPS = ["2001:db8::/32", "192.0.2.0/24"]
NATIVE4, NATIVE6 = "203.0.113.80", "3fff:1::80"  # a host of the native network, at r1


@dataclass(frozen=True)
class Node:
    """A node of the bench: its underlay addresses, and what it is."""

    role: str
    v4: str
    v6: str
    id: int | None = None
    duid: str = ""
    acps: tuple[str, ...] = ()
    host: str = ""

    @property
    def link_local(self) -> str:
        return f"fe80::{self.id:x}"


NODES = {
    "r1": Node("relay", "198.51.100.1", "fd00:a::1", 1),
    "r2": Node("relay", "198.51.100.2", "fd00:a::2", 2),
    "s1": Node("server", "198.51.100.11", "fd00:a::b", 11),
    "s2": Node("server", "198.51.100.12", "fd00:a::c", 12),
    "c1": Node("client", "198.51.100.101", "fd00:a::65", None, "000200000009c1",
               ("2001:db8:1000:2000::/56", "192.0.2.32/28"), "h1"),
    "c2": Node("client", "198.51.100.102", "fd00:a::66", None, "000200000009c2",
               ("2001:db8:1::/48", "192.0.2.64/28"), "h2"),
    "x": Node("stranger", "198.51.100.200", "fd00:a::c8"),
}  # fmt: skip
# What a host behind a Client has, and the address of the Client on its side.
HOSTS = {
    "h1": ("c1", "2001:db8:1000:2000::10/64", "2001:db8:1000:2000::1/64", "192.0.2.34/28", "192.0.2.33/28"),
    "h2": ("c2", "2001:db8:1:7::10/64", "2001:db8:1:7::1/64", "192.0.2.66/28", "192.0.2.65/28"),
}
H1, H2 = "2001:db8:1000:2000::10", "2001:db8:1:7::10"
H1_V4, H2_V4 = "192.0.2.34", "192.0.2.66"
