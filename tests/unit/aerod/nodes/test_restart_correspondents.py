# SPDX-License-Identifier: GPL-3.0-or-later
"""A restarted aerod still accepts those it has told that they may send straight to it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aerod.wire import nd
from tests.unit.aerod.harness import H1, H2, Link, ip6, lla, underlay
from tests.unit.aerod.host import Host
from tests.unit.aerod.procedures.nd_log import C1_LL, data_hops, dynamic, nd_sent
from tests.unit.aerod.procedures.redirection_talk import S2_AT, THROUGH, question


def killed(link: Link, host: Host, pause: float = 1.0) -> None:
    """kill -9, a pause, and a start with what is on the disk."""
    host.up = False
    saved = json.loads(json.dumps(host.saved))
    link.run(pause)
    host.start(saved | {"age": link.now - saved["at"]})


def talk(link: Link, seconds: float, interval: float = 0.5) -> None:
    """Data from c1 to c2, first through the Servers, then straight."""
    end = link.now + seconds
    while link.now < end:
        link.c1.send(ip6(H1, H2))
        link.run(interval)


def arrives(link: Link) -> bool:
    """Whether the next packet of c1 reaches c2."""
    link.c2.take_delivered()
    link.c1.send(ip6(H1, H2))
    link.run(0.1)
    return len(link.c2.take_delivered()) == 1


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


def test_a_killed_client_takes_the_next_packet(link) -> None:
    """No exchange is needed, and c1 need not even notice."""
    talk(link, 3)
    killed(link, link.c2)
    before = len(link.log)
    assert arrives(link)
    assert data_hops(link, ip6(H1, H2), before) == ["c1"]
    assert link.c2.drops() == {}
    assert [m for m in nd_sent(link, since=before) if m.sender == "c2"] == []


@pytest.mark.parametrize("crash", [5, 9.9, 10.1, 15, 19.9, 27, 33.3])
@pytest.mark.parametrize("pause", [0.5, 2.5])
def test_at_whatever_time_it_is_killed(link, crash, pause) -> None:
    """While data flows, what is on the disk outlasts what c1 may do, NUD or no NUD."""
    talk(link, crash)
    killed(link, link.c2, pause)
    while link.now < 1100:
        assert arrives(link)
        link.run(0.9)
    assert link.c2.drops() == {}


def test_a_pause_and_then_a_crash(link) -> None:
    """The other end sends straight for 30 s after its last answer, we accept for 40 s."""
    talk(link, 1)
    link.run(26)
    killed(link, link.c2)
    assert arrives(link) and link.c2.drops() == {}


def test_the_remaining_time_counts(link) -> None:
    """What was accepted for 40 s is not accepted for longer because of a restart."""
    talk(link, 0.5, 0.1)
    link.c1.up = False
    (before,) = dynamic(link.c2, link)
    killed(link, link.c2, 5)
    (after,) = dynamic(link.c2, link)
    assert after["accept_in"] == pytest.approx(before["accept_in"] - 5, abs=0.1)
    assert after["links"] == before["links"] and after["prefixes"] == before["prefixes"]
    assert after["forward_in"] == 0
    link.run(after["accept_in"])
    assert dynamic(link.c2, link) == []
    killed(link, link.c2)
    assert dynamic(link.c2, link) == []


def test_it_is_not_written_for_each_packet_or_message(link) -> None:
    """A new correspondent at once, what it renews at most each ten seconds."""
    before = link.c2.saves
    talk(link, 1)
    assert link.c2.saves - before == 1
    talk(link, 300)
    assert 10 <= link.c2.saves - before <= 32


def test_an_old_message_stays_old(link) -> None:
    """O-22: what was seen before the restart is not taken again after it."""
    asked = question(link)
    link.c2.inject(asked, S2_AT)
    link.run(5)
    killed(link, link.c2)
    link.c2.inject(asked, S2_AT)
    assert link.c2.drops() == {"drop_nd_timestamp": 1}
    link.c2.inject(question(link), S2_AT)
    assert len(nd_sent(link, nd.Redirect)) == 5


def test_nobody_is_told_what_has_not_changed(link) -> None:
    """A restart by itself is no reason for advertisements."""
    talk(link, 3)
    before = len(link.log)
    killed(link, link.c2)
    link.run(5)
    assert nd_sent(link, nd.NeighborAdvertisement, before) == []


def test_who_comes_back_elsewhere_tells_them(link) -> None:
    """Correspondents of before hear of the new address, as if aerod had seen it change."""
    talk(link, 3)
    link.c2.underlays = [underlay("203.0.113.150")]
    killed(link, link.c2)
    link.run(0.2)
    (told, *_more) = [m for m in nd_sent(link, nd.NeighborAdvertisement) if not m.message.solicited]
    assert (told.sender, told.header.destination) == ("c2", C1_LL)
    before = len(link.log)
    assert arrives(link)
    (sent,) = [d for _name, d in link.log[before:] if d.payload == ip6(H1, H2)]
    assert sent.remote == lla("203.0.113.150")


def test_what_is_configured_now_counts(link) -> None:
    """A Client that refuses Predirects from now on accepts nobody."""
    talk(link, 3)
    config = link.c2.config
    link.c2.config = replace(config, client=replace(config.client, accept_redirects=False))
    killed(link, link.c2)
    assert dynamic(link.c2, link) == []


@pytest.mark.parametrize("prefix", ["2001:db8:1::/64", "2001:db8::/32", "3fff::/64", "0.0.0.0/0"])
def test_nobody_has_our_prefix_or_one_outside_the_link(link, prefix) -> None:
    """As without a restart."""
    talk(link, 3)
    saved = link.c2.node.saved_state(link.now)
    saved["correspondents"][0]["prefix"] = prefix
    link.c2.start(saved)
    assert dynamic(link.c2, link) == []


@pytest.mark.parametrize("broken", [{"correspondents": 7}, {"correspondents": [{"prefix": "::/64"}]}])
def test_what_cannot_be_read_does_no_harm(link, broken) -> None:
    """The leases are good all the same, and it is told."""
    talk(link, 3)
    link.c2.start(link.c2.node.saved_state(link.now) | broken)
    assert "saved state" in link.c2.notices[-1] and len(link.c2.leases) == 2
    before = len(link.log)
    talk(link, 5)
    assert data_hops(link, ip6(H1, H2), before)[-4:] != THROUGH


def test_a_server_that_answers_for_its_clients() -> None:
    """Server-oriented redirection: the same, at the Server."""
    link = Link(optimise=True, redirect_clients="always").settled()
    talk(link, 3)
    killed(link, link.s2)
    link.use_relay(link.s2, 1)
    before = len(link.log)
    assert arrives(link)
    assert data_hops(link, ip6(H1, H2), before) == ["c1", "s2"]
    assert link.s2.drops() == {}
