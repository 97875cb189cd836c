# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes of 1500 bytes and the encapsulation (draft section 3.13)."""

from __future__ import annotations

import pytest

from aerod.config_encapsulation import EncapsulationConfig
from aerod.interface import UnderlayError
from aerod.wire.ip import parse_ip
from tests.unit.aerod.harness import H1, H2, Link, ip6, lla, underlay

C1_L2, S1_L2 = lla("203.0.113.101"), lla("203.0.113.11")


def large(how: EncapsulationConfig | None = None, mtu: int = 1600, **more) -> Link:
    """A link on which C1's access takes ``mtu`` bytes."""
    link = Link(how=how, **more)
    link.c1.set_underlays(underlay("203.0.113.101", mtu=mtu))
    return link.settled()


def sent(link: Link, packet: bytes) -> list:
    before = len(link.log)
    link.c1.send(packet)
    return [datagram for name, datagram in link.log[before:] if name == "c1"]


def probes(link: Link, since: int = 0) -> list:
    return [
        d for name, d in link.log[since:] if name == "c1" and d.outer.dont_fragment and d.payload[40] == 135
    ]


@pytest.mark.parametrize("how", ["plain", "gue", "raw"])
def test_a_proven_path_needs_no_fragments(how) -> None:
    """AERO-063, 065: the probe is as large as 1500 bytes with ENCAPS, and then they go whole with DF=1."""
    link = large(EncapsulationConfig(how))
    assert len(sent(link, ip6(H1, H2, 1400))) == 2
    link.run(0.1)
    assert link.c1.node.counters()["probes_answered"] == 1
    (probe,) = [d for name, d in link.log if name == "c1" and d.outer.dont_fragment]
    around = {"plain": 28, "gue": 28, "raw": 20}[how]
    assert around + len(probe.payload) == 1500 + {"plain": 36, "gue": 40, "raw": 28}[how]
    (whole,) = sent(link, ip6(H1, H2, 1500))
    assert whole.outer.dont_fragment
    assert len(sent(link, ip6(H1, H2, 1200))) == 1
    link.run(0.1)
    assert [len(p) for p in link.c2.take_delivered()] == [1400, 1500, 1200]


def test_a_probe_is_a_padded_solicitation() -> None:
    """AERO-063: the padding is outside the inner packet's own length, inside the outer one."""
    link = large()
    sent(link, ip6(H1, H2, 1400))
    link.run(0.1)
    (probe,) = probes(link)
    header = parse_ip(probe.payload)
    assert header.total_length < 100 < len(probe.payload)
    assert not any(probe.payload[header.total_length :])


@pytest.mark.parametrize("how", [{"how": EncapsulationConfig(probe=False)}, {"mtu": 1500}, {"mtu": 1535}])
def test_no_probes_where_they_cannot_help(how) -> None:
    """Switched off, or on an interface that cannot carry one."""
    link = large(**how)
    for _number in range(3):
        assert len(sent(link, ip6(H1, H2, 1400))) == 2
        link.run(0.5)
    assert "probes_sent" not in link.c1.node.counters()


def test_small_packets_bring_no_probe() -> None:
    """A path is probed when that would save fragments."""
    link = large()
    sent(link, ip6(H1, H2, 1200))
    link.run(5)
    assert "probes_sent" not in link.c1.node.counters()


def test_probing_goes_on_while_traffic_flows() -> None:
    """AERO-066: every 60 s, and an idle path is forgotten."""
    link = large()
    for _second in range(150):
        sent(link, ip6(H1, H2, 1400))
        link.run(1)
    assert link.c1.node.counters()["probes_sent"] == 3
    link.run(130)
    assert link.c1.node.counters()["probes_sent"] <= 4
    assert len(sent(link, ip6(H1, H2, 1400))) == 2


def test_three_failures_in_a_row_bring_fragments_back() -> None:
    """AERO-067: the path may have changed without telling anybody."""
    link = large()
    sent(link, ip6(H1, H2, 1400))
    link.run(0.1)
    transmit = link._transmit

    def drop_large(host, datagram) -> None:
        if len(datagram.payload) < 1400:
            transmit(host, datagram)

    link._transmit = drop_large
    assert len(sent(link, ip6(H1, H2, 1400))) <= 1
    for _second in range(66):
        link.c1.send(ip6(H1, H2, 1400))
        link.run(1)
    assert link.c1.node.counters()["probes_failed"] == 1
    assert len(sent(link, ip6(H1, H2, 1400))) == 2


def too_big(mtu: int, kind: str = "icmp", remote=S1_L2, quote: bytes = b"") -> UnderlayError:
    return UnderlayError(kind, 3, 4, mtu, C1_L2, remote, quote)


@pytest.mark.parametrize(
    ("error", "pieces"),
    [
        (too_big(1535), 2),
        (too_big(1400, "local"), 2),
        (too_big(1536), 1),
        (too_big(1400, remote=lla("203.0.113.12")), 1),
    ],
)
def test_what_the_underlay_says_counts(error, pieces) -> None:
    """AERO-067: a smaller MTU on this path ends it at once."""
    link = large()
    sent(link, ip6(H1, H2, 1400))
    link.run(0.1)
    link.c1.node.underlay_error(error, link.now)
    assert len(sent(link, ip6(H1, H2, 1400))) == pieces


def test_another_address_of_the_neighbor_is_another_path() -> None:
    """What was proven for one is not for the other."""
    link = large()
    sent(link, ip6(H1, H2, 1400))
    link.run(0.1)
    link.c1.set_underlays(underlay("203.0.113.103", mtu=1600))
    link.run(0.5)
    assert len(sent(link, ip6(H1, H2, 1400))) == 2


def test_a_server_probes_its_client() -> None:
    """Each direction for itself."""
    link = Link()
    link.s1.set_underlays(underlay("203.0.113.11", "fd00:ae::11", mtu=1600))
    link.settled()
    for _number in range(2):
        link.c2.send(ip6(H2, H1, 1400))
        link.run(0.5)
    assert link.s1.node.counters()["probes_answered"] == 1
    before = len(link.log)
    link.c2.send(ip6(H2, H1, 1500))
    link.run(0.5)
    assert len([d for name, d in link.log[before:] if name == "s1" and len(d.payload) > 500]) == 1
