# SPDX-License-Identifier: GPL-3.0-or-later
"""A short sample of ``make fuzz``, another one each time, and that the fuzzer would notice."""

from __future__ import annotations

from random import SystemRandom

import pytest

from aerod.engines.plain import PlainEngine
from tests.fuzz.fuzzer import STRANGERS, Broken, fuzz
from tests.fuzz.state import fingerprint
from tests.unit.aerod.harness import Link

_PACKETS = 30_000


def test_no_packet_breaks_a_node(capsys):
    seed = SystemRandom().randrange(1 << 32)
    with capsys.disabled():
        print(f" (fuzz seed {seed}) ", end="")
    report = fuzz(_PACKETS, seed)
    assert report.packets == _PACKETS
    assert report.strangers > _PACKETS / 4


def test_what_a_stranger_changes_is_noticed(monkeypatch):
    unharmed = PlainEngine.from_link

    def remembers(engine, datagram, now):
        engine.last = datagram.payload
        unharmed(engine, datagram, now)

    monkeypatch.setattr(PlainEngine, "from_link", remembers)
    with pytest.raises(Broken, match="changed by a stranger"):
        fuzz(1000, 1)


def test_an_exception_is_reported_with_its_packet(monkeypatch):
    unharmed = PlainEngine.from_link

    def fails(engine, datagram, now):
        if datagram.remote in STRANGERS:
            raise KeyError("oops")
        unharmed(engine, datagram, now)

    monkeypatch.setattr(PlainEngine, "from_link", fails)
    with pytest.raises(Broken, match=r"KeyError\('oops'\) of \w+ from .*: [0-9a-f]+"):
        fuzz(1000, 1)


def test_a_fingerprint_tells_what_is_deep_down():
    link = Link().settled()
    before = fingerprint(link.s1.node)
    assert fingerprint(link.s1.node) == before
    neighbor = link.s1.node._neighbors.owner(0x20010DB8_1000_2000 << 64)
    neighbor.heard += 1.0
    assert fingerprint(link.s1.node) != before
