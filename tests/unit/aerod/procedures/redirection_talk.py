# SPDX-License-Identifier: GPL-3.0-or-later
"""Data from c1 to c2 in a network in memory, and Predirects and Redirects of a test's own."""

from __future__ import annotations

from aerod.address import parse_address
from aerod.wire import nd
from aerod.wire.nd_options import Nonce
from tests.unit.aerod.harness import H1, H2, S1_ADDRESSES, Link, lla
from tests.unit.aerod.procedures.nd_log import C1_LL, C2_LL, data_hops, nd_sent, stamp, tllao

THROUGH = ["c1", "s1", "r1", "s2"]
S1_AT = lla(S1_ADDRESSES[0])
S2_AT = lla("203.0.113.12")


def talk(link: Link, packet: bytes, seconds: float = 0.2) -> None:
    """One packet from c1, and time for what it sets off."""
    link.c1.send(packet)
    link.run(seconds)


def hops(link: Link, packet: bytes) -> list[str]:
    before = len(link.log)
    talk(link, packet)
    return data_hops(link, packet, before)


def predirect(link: Link) -> nd.Predirect:
    return nd_sent(link, nd.Predirect)[0].message


def answer_to(link: Link, source: bytes = C2_LL, **changed) -> bytes:
    """A Redirect as c2 would send it, but for what is changed."""
    fields = {"target": source, "destination": parse_address(H2), "prefix_length": 64}
    options = changed.pop(
        "options",
        (tllao(0, 255, "203.0.113.102"), stamp(link), predirect(link).find(Nonce)),
    )
    return nd.pack(nd.Redirect(**(fields | changed), options=options), source, C1_LL)


def question(link: Link, source: bytes = C1_LL, **changed) -> bytes:
    fields = {"target": source, "destination": parse_address(H1), "prefix_length": 56}
    options = changed.pop("options", (tllao(0, 255, "203.0.113.101"), stamp(link), Nonce(b"please")))
    destination = changed.pop("to", C2_LL)
    return nd.pack(nd.Predirect(**(fields | changed), options=options), source, destination)
