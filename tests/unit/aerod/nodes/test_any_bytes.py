# SPDX-License-Identifier: GPL-3.0-or-later
"""Any bytes from anywhere: no exception, no change of state (AERO-220)."""

from __future__ import annotations

from random import Random

import pytest

from tests.unit.aerod.harness import H1, H2, Link, echo, ip4, ip6, lla

ROUNDS = 3000


def mutated(random: Random, seeds: list[bytes]) -> bytes:
    """A good packet with a few bytes changed, cut, or nothing but noise."""
    if random.random() < 0.1:
        return random.randbytes(random.randrange(200))
    packet = bytearray(random.choice(seeds))
    for _unused in range(random.randrange(4)):
        packet[random.randrange(len(packet))] = random.randrange(256)
    if random.random() < 0.3:
        del packet[random.randrange(len(packet)) :]
    return bytes(packet)


@pytest.mark.parametrize("name", ["c1", "s1", "r1"])
@pytest.mark.parametrize("remote", ["neighbor", "stranger"])
def test_mutated_packets_from_the_link(name, remote) -> None:
    """Everything seen on a live link, distorted."""
    link = Link().settled()
    for packet in (ip6(H1, H2, 1500), ip4("198.51.100.34", "198.51.100.66"), echo("fe80::b", "fe80::1")):
        link.c1.send(packet)
    link.run(1)
    seeds = [datagram.payload for _unused, datagram in link.log]
    host = getattr(link, name)
    neighbor = {"c1": "203.0.113.11", "s1": "203.0.113.101", "r1": "203.0.113.11"}[name]
    source = lla(neighbor if remote == "neighbor" else "192.0.2.9")
    before = host.node.saved_state(link.now), host.node.neighbors(link.now)
    host.kea = None
    random = Random(5)
    for _unused in range(ROUNDS):
        host.inject(mutated(random, seeds), source)
    assert (host.node.saved_state(link.now), host.node.neighbors(link.now)) == before


@pytest.mark.parametrize("name", ["c1", "s1", "r1"])
def test_mutated_packets_from_the_kernel(name) -> None:
    """The TUN side of the same."""
    link = Link().settled()
    answers = []
    kea = link.s1.kea

    def recording(packet, header, now, original=kea.answer):
        answers.extend(original(packet, header, now))
        return answers[-1:]

    kea.answer = recording
    link.run(1000)
    assert answers
    seeds = [*answers, ip6(H1, H2), ip4("198.51.100.34", "198.51.100.66"), echo("fe80::b", "fe80::1")]
    host = getattr(link, name)
    random = Random(6)
    for _unused in range(ROUNDS):
        host.send(mutated(random, seeds))
    assert host.node.neighbors(link.now)
