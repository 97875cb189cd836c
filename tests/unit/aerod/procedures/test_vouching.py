# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server lets only true redirections of its Clients pass, with the addresses it sees."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.wire import nd
from aerod.wire.ip import parse_ip
from aerod.wire.nd_options import LinkLayerOption, Nonce, UnknownOption
from tests.unit.aerod.harness import H1, Link, lla, underlay
from tests.unit.aerod.host import Nat
from tests.unit.aerod.procedures.nd_log import C1_LL, C1_V4_LL, C2_LL, nd_sent, tllao

C1_AT, R1_AT = lla("203.0.113.101"), lla("203.0.113.1")
EMPTY = tllao(0, 255, "::", 0)


@pytest.fixture
def link() -> Link:
    return Link().settled()


def message(kind=nd.Predirect, source=C1_LL, to=C2_LL, options=(EMPTY,), **changed) -> bytes:
    fields = {"target": source, "destination": parse_address(H1), "prefix_length": 56} | changed
    return nd.pack(kind(**fields, options=options), source, to)


def passed(link: Link, packet: bytes, remote=C1_AT) -> list[nd.Message]:
    """What s1 sends on when it gets the packet."""
    before = len(link.log)
    link.s1.inject(packet, remote)
    return [m.message for m in nd_sent(link, since=before) if m.sender == "s1"]


@pytest.mark.parametrize("kind", [nd.Predirect, nd.Redirect])
def test_addresses_are_filled_in(link, kind) -> None:
    """AERO-162, 163: what the Client left empty, and what it made up; nothing else changes."""
    others = (Nonce(b"sixsix"), UnknownOption(99, bytes(6)))
    for option in (EMPTY, tllao(0, 7, "192.0.2.1", 9)):
        (sent,) = passed(link, message(kind, options=(option, *others)))
        filled, *rest = sent.options
        assert filled == tllao(0, option.preference, "203.0.113.101") and tuple(rest) == others
        assert isinstance(sent, kind) and (sent.target, sent.prefix_length) == (C1_LL, 56)


def test_the_nat_port_is_told() -> None:
    """AERO-162: the Server sees what a NAT made of the address."""
    link = Link(c1=("10.77.0.2",), nat=Nat("203.0.113.200")).settled()
    (sent,) = passed(link, message(), lla("203.0.113.200", 40001))
    assert sent.find(LinkLayerOption).address == lla("203.0.113.200", 40001)


def test_all_links_or_some() -> None:
    """AERO-160: any set of known Link IDs passes, one unknown one stops it all."""
    link = Link()
    link.c1.set_underlays(underlay("203.0.113.101"), underlay("203.0.113.201", link_id=3, preference=9))
    link.settled()
    one, two, unknown = EMPTY, tllao(3, 9, "::", 0), tllao(9, 9, "::", 0)
    for options, texts in [
        ((one,), ["203.0.113.101"]),
        ((two, one), ["203.0.113.201", "203.0.113.101"]),
        ((one, unknown), None),
        ((unknown,), None),
        ((), None),
    ]:
        sent = passed(link, message(options=options))
        told = [[o.address.text for o in m.find_all(LinkLayerOption)] for m in sent]
        assert told == ([] if texts is None else [texts])
    assert link.s1.drops() == {"drop_redirect_link": 3}


@pytest.mark.parametrize(
    "changed",
    [
        {"prefix_length": 55},
        {"prefix_length": 57},
        {"prefix_length": 64},
        {"prefix_length": 32},
        {"target": C2_LL},
        {"source": parse_address("fe80::2001:db8:1000:2001")},
        {"source": C1_V4_LL, "prefix_length": 27},
    ],
)
def test_only_what_was_delegated(link, changed) -> None:
    """AERO-161, O-37: length, target and source are those of the Client's own prefix."""
    assert passed(link, message(**changed)) == []
    assert link.s1.drops() == {"drop_redirect_prefix": 1}


def test_the_prefix_of_the_other_family(link) -> None:
    """Each ACP has its own AERO address and length."""
    assert len(passed(link, message(source=C1_V4_LL, prefix_length=28))) == 1


@pytest.mark.parametrize("broken", ["checksum", "hop limit", "code", "option"])
def test_malformed_ones_go_nowhere(link, broken) -> None:
    """AERO-147: not even to be dropped by the next one."""
    packet = bytearray(message())
    if broken == "checksum":
        packet[42] ^= 1
    elif broken == "hop limit":
        packet[7] = 254
    elif broken == "code":
        packet[41] = 2
    else:
        packet[81] = 0
    assert passed(link, bytes(packet)) == []
    assert link.s1.drops() == {"drop_malformed_control": 1}


def test_unsolicited_advertisements_too(link) -> None:
    """AERO-183: as for a Redirect; solicited ones pass as they are, nobody believes their links."""
    option = tllao(0, 9, "::", 0)
    unsolicited = nd.NeighborAdvertisement(C1_LL, override=True, options=(option,))
    (sent,) = passed(link, nd.pack(unsolicited, C1_LL, C2_LL))
    assert sent.options == (tllao(0, 9, "203.0.113.101"),)
    solicited = nd.NeighborAdvertisement(C1_LL, solicited=True, options=(option,))
    assert passed(link, nd.pack(solicited, C1_LL, C2_LL)) == [solicited]


def test_others_are_not_touched(link) -> None:
    """AERO-164: what a Relay brings reaches the Client as it is."""
    packet = message(source=C2_LL, to=C1_LL, prefix_length=64, options=(tllao(9, 1, "192.0.2.7", 5),))
    before = len(link.log)
    link.s1.inject(packet, R1_AT)
    ((name, datagram),) = link.log[before:]
    assert (name, datagram.payload, datagram.remote) == ("s1", packet, C1_AT)


def test_the_relay_leads_to_the_other_server(link) -> None:
    """AERO-165: unchanged, by the embedded prefix."""
    packet = message(options=(tllao(0, 255, "203.0.113.101"),))
    before = len(link.log)
    link.r1.inject(packet, lla("203.0.113.11"))
    ((name, datagram),) = link.log[before:]
    assert (name, datagram.payload, datagram.remote.text) == ("r1", packet, "203.0.113.12")
    assert parse_ip(datagram.payload).hop_limit == 255
