# SPDX-License-Identifier: GPL-3.0-or-later
"""A short sample of ``make fuzz``, another one each time, and that the fuzzer would notice."""

from __future__ import annotations

from random import SystemRandom

import pytest

from aerod.address import parse_address
from aerod.engines.plain import PlainEngine
from aerod.wire import signature
from tests.fuzz.captured import FORMATS
from tests.fuzz.fuzzer import STRANGERS, Broken, fuzz
from tests.fuzz.inputs import fuzz_inputs
from tests.fuzz.state import fingerprint
from tests.unit.aerod.harness import C1, S1_ADDRESSES, Link, signature_key

_PACKETS = 8000
_EVENTS = 3000


@pytest.mark.parametrize("how", FORMATS)
def test_no_packet_breaks_a_node(how, capsys):
    seed = SystemRandom().randrange(1 << 32)
    with capsys.disabled():
        print(f" (fuzz seed {seed}) ", end="")
    report = fuzz(_PACKETS, seed, how)
    assert report.packets == _PACKETS
    assert report.strangers > _PACKETS / 4


def test_nothing_that_happens_breaks_a_node(capsys):
    seed = SystemRandom().randrange(1 << 32)
    with capsys.disabled():
        print(f" (fuzz seed {seed}) ", end="")
    report = fuzz_inputs(_EVENTS, seed)
    assert report.packets == _EVENTS


def test_a_stranger_who_has_a_key_is_noticed(monkeypatch):
    key = signature_key(C1)
    pair = signature.pair_key(key.secret, parse_address(S1_ADDRESSES[0]))
    monkeypatch.setattr("tests.fuzz.fuzzer._guessed", lambda _random, packet: signature.sign(key.id, pair, packet))
    with pytest.raises(Broken, match="changed by a stranger"):
        fuzz(4000, 1, "signed")


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
    with pytest.raises(Broken, match=r"KeyError\('oops'\) of \w+ from .*: 17 [0-9a-f]+"):
        fuzz(1000, 1)


def test_a_fingerprint_tells_what_is_deep_down():
    link = Link().settled()
    before = fingerprint(link.s1.node)
    assert fingerprint(link.s1.node) == before
    neighbor = link.s1.node._neighbors.owner(0x20010DB8_1000_2000 << 64)
    neighbor.heard += 1.0
    assert fingerprint(link.s1.node) != before
