# SPDX-License-Identifier: GPL-3.0-or-later
"""Destinations outside the link are looked up in the DNS, once (AERO-210)."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.interface import FindCapability
from aerod.procedures.capability import MOST_A_SECOND, Capabilities, capability_name
from aerod.state.outbox import Outbox

SUFFIX = "aero.linkupnetworks.net"
NAME = "0.0.0.0.2.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net"
THERE = parse_address("2001:db8:2::1")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def capabilities(outbox) -> Capabilities:
    return Capabilities(SUFFIX, True, outbox)


def asked(outbox: Outbox) -> list[str]:
    return [action.name for action in outbox.take().actions if isinstance(action, FindCapability)]


def test_the_name() -> None:
    """The 16 nibbles of the /64, last one first."""
    assert capability_name(THERE, SUFFIX) == NAME


def test_asked_once_and_kept(capabilities, outbox) -> None:
    """All of a /64 is one question; the answer holds as long as its TTL says."""
    for host in ("::1", "::2", "::ffff"):
        capabilities.outside(parse_address("2001:db8:2:0" + host), 10.0)
    assert asked(outbox) == [NAME]
    assert capabilities.describe(10.0)[0] == {
        "prefix": "2001:db8:2::/64", "domain": None, "waiting": True, "expires_in": 60.0,
    }  # fmt: skip
    capabilities.found(NAME, "example.com", 300.0, 11.0)
    assert capabilities.domain(THERE, 12.0) == "example.com"
    capabilities.outside(THERE, 310.0)
    assert asked(outbox) == []
    capabilities.outside(THERE, 311.5)
    assert asked(outbox) == [NAME] and capabilities.domain(THERE, 311.5) is None


@pytest.mark.parametrize(("ttl", "kept"), [(None, 60), (1.0, 60), (300.0, 300), (1e9, 86400)])
def test_no_is_kept_too(capabilities, outbox, ttl, kept) -> None:
    """NXDOMAIN and NODATA are an answer; silence is asked about again a minute later."""
    capabilities.outside(THERE, 0.0)
    capabilities.found(NAME, None, ttl, 0.0)
    assert capabilities.describe(1.0)[0]["waiting"] is False
    asked(outbox)
    capabilities.outside(THERE, kept - 0.1)
    assert asked(outbox) == []
    capabilities.outside(THERE, kept + 0.1)
    assert asked(outbox) == [NAME]


@pytest.mark.parametrize("there", ["192.0.2.1", "fd00::1", "fe80::1", "ff0e::1"])
def test_not_asked_about(capabilities, outbox, there) -> None:
    """IPv4 and what is no global unicast address has no such name."""
    capabilities.outside(parse_address(there), 0.0)
    assert asked(outbox) == []


def test_off(outbox) -> None:
    """Asking tells name servers who talks to whom: not without being told to."""
    Capabilities(SUFFIX, False, outbox).outside(THERE, 0.0)
    assert asked(outbox) == []


def test_a_scan_is_no_burden(capabilities, outbox) -> None:
    """So many a second, the rest when they come again."""
    for number in range(500):
        capabilities.outside(parse_address(f"2001:db9:{number:x}::1"), 5.0)
    assert len(asked(outbox)) == MOST_A_SECOND


@pytest.mark.parametrize("name", ["", "x." + SUFFIX, "0.0." + SUFFIX, NAME + ".example", "1" + NAME])
def test_answers_nobody_asked_for(capabilities, name) -> None:
    """Nothing is learned from them."""
    capabilities.found(name, "evil.example", 300.0, 0.0)
    assert capabilities.describe(0.0) == []
