# SPDX-License-Identifier: GPL-3.0-or-later
"""Time Exceeded as a raw socket sees it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerod.address import LinkLayerAddress, parse_address
from aerod.shell.time_exceeded import parse
from aerod.wire.ip import ICMPV4, UDP, build_ipv4
from aerod.wire.udp import build_udp

OWN, PEER, ROUTER = (parse_address(f"203.0.113.{n}") for n in (1, 2, 3))
QUOTED = build_ipv4(OWN, PEER, UDP, build_udp(OWN, PEER, 8060, 40001, b"payload"))


def error(kind: int, code: int, quoted: bytes) -> bytes:
    return build_ipv4(ROUTER, OWN, ICMPV4, bytes([kind, code]) + bytes(6) + quoted)


def test_what_is_quoted() -> None:
    """Whose datagram, to whom, and how it began."""
    found = parse(error(11, 1, QUOTED), 8060)
    assert (found.kind, found.type, found.code) == ("icmp", 11, 1)
    assert (found.local, found.remote) == (LinkLayerAddress(OWN, 8060), LinkLayerAddress(PEER, 40001))
    assert found.quote == b"payload"


@pytest.mark.parametrize(
    "packet",
    [
        error(11, 0, QUOTED),
        error(3, 1, QUOTED),
        error(11, 1, QUOTED[:27]),
        error(11, 1, b""),
        error(11, 1, build_ipv4(OWN, PEER, UDP, build_udp(OWN, PEER, 8061, 40001, b"payload"))),
        error(11, 1, build_ipv4(OWN, PEER, 6, bytes(20))),
    ],
)
def test_what_is_not_ours(packet) -> None:
    """Other errors, and quotes that do not tell."""
    assert parse(packet, 8060) is None


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    """No input raises."""
    parse(error(11, 1, data), 8060)
    parse(data, 8060)
