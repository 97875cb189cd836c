# SPDX-License-Identifier: GPL-3.0-or-later
"""E: dynamic neighbors of a Client, their two timers, and what may come straight from them."""

from __future__ import annotations

import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, NATIVE6
from tests.conformance.correspondent import C1, C2, Correspondent, with_correspondent
from tests.conformance.traffic import has_echo, ident

FORWARD_TIME, ACCEPT_TIME, MAX_RETRY = 30, 40, 3
ELSEWHERE = p.tllao(0, 255, 9999, "198.51.100.222")


def comes_directly(peer: Correspondent, host, source: str = H2, **how) -> bool:
    """Whether data straight from c2 reaches h1; something from the Server follows, which does. Nothing of it is answered."""
    tried, known = ident(), ident()
    peer.bench.inject(p.echo(source, H1, ident=tried, reply=True), how.pop("by", "c2"), "c1", **how)
    peer.bench.inject(p.echo(NATIVE6, H1, ident=known, reply=True), "s1", "c1")
    host.wait_for(has_echo(known))
    return bool(host.find(has_echo(tried)))


def known_links(entry: dict) -> set[tuple]:
    return {(link["address"], link["port"]) for link in entry["links"]}


def test_aero_086_predirect_opens_for_accept_time(make_bench):
    """A Predirect makes an entry; for 40 s direct data is taken, then it is not."""
    scale = 10
    peer = with_correspondent(make_bench, scale)
    bench, host = peer.bench, peer.bench.capture("h1")
    assert not comes_directly(peer, host)
    peer.predirect()
    entry = peer.wait_for_entry()
    assert (entry["prefixes"], entry["link_local"]) == (["2001:db8:1::/48"], C2)
    assert known_links(entry) == {(bench.address("c2"), p.AERO_PORT)}
    assert ACCEPT_TIME - 10 < entry["accept_in"] <= ACCEPT_TIME
    assert entry["forward_in"] == 0
    assert comes_directly(peer, host)
    # Another one sets the time anew.
    time.sleep(0.5)
    before, began = peer.entry()["accept_in"], time.monotonic()
    peer.predirect()
    peer.wait_for_entry(lambda e: e["accept_in"] > before)
    time.sleep(max(0, began + 32 / scale - time.monotonic()))
    assert comes_directly(peer, host)
    bench.wait_for(lambda: peer.entry() is None, 3)
    assert ACCEPT_TIME <= (time.monotonic() - began) * scale <= ACCEPT_TIME + 20
    assert not comes_directly(peer, host)


def test_aero_086_ends_while_forward_time_goes_on(make_bench):
    """c1 may still send directly, and what comes directly is not taken any more."""
    peer = with_correspondent(make_bench, 10)
    host = peer.bench.capture("h1")
    peer.predirect()
    peer.be_redirected_to()
    assert comes_directly(peer, host)

    def has_ended() -> bool:
        peer.data_from_h1()
        return peer.entry()["accept_in"] == 0

    peer.bench.wait_for(has_ended, 6, "the end of AcceptTime")
    assert peer.entry()["forward_in"] > 0
    assert not comes_directly(peer, host)


def test_aero_087_redirect_opens_for_forward_time(make_bench):
    """A Redirect makes an entry with ForwardTime 30 and MaxRetry 3; without data and NS it is over after 30 s."""
    scale = 10
    peer = with_correspondent(make_bench, scale)
    began = time.monotonic()
    peer.data_from_h1()
    entry = peer.wait_for_entry(lambda e: e["forward_in"] > 0)
    assert (entry["prefixes"], entry["link_local"]) == (["2001:db8:1::/48"], C2)
    assert known_links(entry) == {(peer.bench.address("c2"), p.AERO_PORT)}
    assert FORWARD_TIME - 10 < entry["forward_in"] <= FORWARD_TIME
    assert entry["accept_in"] == 0
    peer.wait_for_entry(lambda e: e["max_retry"] == MAX_RETRY)
    assert len(peer.predirects) == 1
    peer.bench.wait_for(lambda: peer.entry() is None, 6)
    assert FORWARD_TIME <= (time.monotonic() - began) * scale <= FORWARD_TIME + 20
    # Nothing was sent, so nobody was solicited but by the first test of the path.
    assert len(peer.solicitations) <= 2


def test_aero_088_each_message_its_own_timer(make_bench):
    """An NS of the neighbor sets AcceptTime alone, a solicited NA sets ForwardTime and MaxRetry alone."""
    scale = 4
    peer = with_correspondent(make_bench, scale)
    peer.predirect()
    peer.be_redirected_to()
    time.sleep(2)
    before = peer.entry()
    assert before["accept_in"] < ACCEPT_TIME - 6
    assert before["forward_in"] < FORWARD_TIME - 6
    peer.solicit()
    after = peer.wait_for_entry(lambda e: e["accept_in"] > before["accept_in"])
    assert after["forward_in"] < before["forward_in"]
    time.sleep(0.5)
    before = peer.entry()
    asked = len(peer.solicitations)
    # Data after a third of ForwardTime has c1 ask, and the answer counts.
    peer.bench.wait_for(lambda: peer.data_from_h1() and len(peer.solicitations) > asked, 5)
    after = peer.wait_for_entry(lambda e: e["forward_in"] > before["forward_in"])
    assert after["max_retry"] == MAX_RETRY
    assert after["accept_in"] < before["accept_in"]


def test_aero_089_solicitations_create_and_change_nothing(make_bench):
    """NS and solicited NA of a Client make no entry; to one that is there they bring no link-layer address."""
    peer = with_correspondent(make_bench)
    u = peer.bench.capture()

    def say(direct: bool) -> None:
        peer.solicit(direct, p.sllao(0, 255, 9999, "198.51.100.222") + p.nonce(b"bad-NS"))
        advertisement = p.neighbor_advertisement(C2, C1, ELSEWHERE + p.nonce(b"bad-NA"))
        if direct:
            peer.send(advertisement, "c1")
        else:
            peer.through_server(advertisement)

    with peer.bench.no_effect("c1", u, 1.0):
        say(direct=True)
        say(direct=False)
    peer.predirect()
    links = known_links(peer.wait_for_entry())
    say(direct=True)
    say(direct=False)
    u.wait_for_all(lambda f: f.node == "c1" and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == p.nonce(b"bad-NS"), 2)
    assert known_links(peer.entry()) == links
    assert peer.entry()["forward_in"] == 0


def test_aero_090_unsolicited_advertisements(make_bench):
    """An unsolicited NA brought by a Server replaces link-layer addresses, touches no timer and makes no entry."""
    peer = with_correspondent(make_bench, scale=4)
    bench = peer.bench
    message = p.neighbor_advertisement(C2, C1, p.tllao(0, 255, p.AERO_PORT, "198.51.100.222"), S=0)
    with bench.no_effect("c1", bench.capture(), 0.7):
        peer.through_server(message)
    peer.predirect()
    peer.wait_for_entry()
    time.sleep(0.5)
    # Straight from the neighbor it does not count: only a Server has seen to its truth.
    peer.send(p.neighbor_advertisement(C2, C1, p.tllao(0, 255, 1, "198.51.100.223"), S=0), "c1")
    before = peer.entry()
    peer.through_server(message)
    after = peer.wait_for_entry(lambda e: known_links(e) == {("198.51.100.222", p.AERO_PORT)})
    assert after["accept_in"] <= before["accept_in"]
    assert after["forward_in"] == 0
    host = bench.capture("h1")
    assert not comes_directly(peer, host)
    assert comes_directly(peer, host, by=("198.51.100.222", p.AERO_PORT))


def test_aero_091_gone_when_both_timers_are_over(make_bench):
    """With ForwardTime over and AcceptTime not, the entry is still there; then it is removed."""
    scale = 10
    peer = with_correspondent(make_bench, scale)
    peer.be_redirected_to()
    time.sleep(0.5)
    peer.predirect()
    peer.wait_for_entry(lambda e: e["accept_in"] > 0 and e["forward_in"] > 0)
    left = peer.bench.wait_for(lambda: (e := peer.entry()) and e["forward_in"] == 0 and e, 5)
    assert left["accept_in"] > 0
    peer.bench.wait_for(lambda: peer.entry() is None, 3)


def test_aero_092_defaults(make_bench):
    """ForwardTime is 30 s, AcceptTime 40 s, MaxRetry 3: of data with no answer to NS the fourth second goes through the Server."""
    peer = with_correspondent(make_bench)
    u = peer.bench.capture()
    peer.predirect()
    peer.be_redirected_to()
    entry = peer.entry()
    assert ACCEPT_TIME - 3 < entry["accept_in"] <= ACCEPT_TIME
    assert FORWARD_TIME - 3 < entry["forward_in"] <= FORWARD_TIME
    assert entry["max_retry"] == MAX_RETRY
    peer.answers = False
    u.clear()
    # What a Server brings makes c1 test the new path at once.
    peer.through_server(p.neighbor_advertisement(C2, C1, p.tllao(0, 255, 8061, peer.bench.address("c2")), S=0))
    asked = u.wait_for_all(lambda f: f.node == "c1" and f.nd == p.NS and f.inner.dst == C2, MAX_RETRY, 6)
    assert all(0.9 < later.time - earlier.time < 2.5 for earlier, later in zip(asked, asked[1:], strict=False))
    peer.wait_for_entry(lambda e: e["forward_in"] == 0, 3)
    assert len(u.find(lambda f: f.node == "c1" and f.nd == p.NS and f.inner.dst == C2)) == MAX_RETRY


@pytest.mark.parametrize("node", ["c1", "s1", "r1"])
def test_aero_093_one_setting_for_the_link(make_bench, node):
    """The times are settings of the link, the same key everywhere; AcceptTime not above ForwardTime is refused."""
    bench = make_bench(nodes=("r1", "s1", "c1"))
    bench.configure_all(link={"forward_time": 20, "accept_time": 30})
    assert bench.check_config(node) == ""
    for forward, accept in ((30, 30), (40, 30)):
        bench.configure_all(link={"forward_time": forward, "accept_time": accept})
        assert "accept_time" in bench.check_config(node)


def test_aero_099_what_may_come_directly(make_bench):
    """Without entry, from another address or port, or with a source outside its prefix, nothing of a correspondent is taken."""
    peer = with_correspondent(make_bench)
    bench, host = peer.bench, peer.bench.capture("h1")
    assert not comes_directly(peer, host)
    peer.predirect()
    peer.wait_for_entry()
    for source in (H2, "2001:db8:1:ffff::1"):
        assert comes_directly(peer, host, source=source)
    for elsewhere in ((bench.address("c2"), 8061), "x", ("198.51.100.103", p.AERO_PORT)):
        assert not comes_directly(peer, host, by=elsewhere)
    for source in ("2001:db8:2::1", NATIVE6, H1, "2001:db8:1000:2000::77"):
        assert not comes_directly(peer, host, source=source)


def test_aero_099_redirect_alone_opens_nothing(make_bench):
    """To be allowed to send to a neighbor is no reason to take from it."""
    peer = with_correspondent(make_bench)
    host = peer.bench.capture("h1")
    peer.be_redirected_to()
    assert not comes_directly(peer, host)


def test_aero_101_disabled_links_and_preference(make_bench):
    """Of links with Preference 0, 10 and 200 the last one is sent to, and the first is no source that counts."""
    peer = with_correspondent(make_bench, answers=False)
    bench, host, u = peer.bench, peer.bench.capture("h1"), peer.bench.capture()
    address = bench.address("c2")
    peer.links = p.tllao(0, 0, 9000, address) + p.tllao(1, 10, 9001, address) + p.tllao(2, 200, p.AERO_PORT, address)
    peer.predirect()
    peer.wait_for_entry()
    assert comes_directly(peer, host, by=(address, 9001))
    assert comes_directly(peer, host)
    assert not comes_directly(peer, host, by=(address, 9000))
    peer.answers = True
    peer.be_redirected_to()
    number = peer.data_from_h1()
    frame = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f))
    assert (frame.dst, frame.dport) == (address, p.AERO_PORT)
    # The best one is disabled: the next best one is taken.
    peer.through_server(p.neighbor_advertisement(C2, C1, p.tllao(2, 0, p.AERO_PORT, address), S=0))
    peer.wait_for_entry(lambda e: (2, 0) in {(link["link_id"], link["preference"]) for link in e["links"]} or len(e["links"]) < 3)
    assert not comes_directly(peer, host)
    number = peer.data_from_h1()
    frame = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f))
    assert (frame.dst, frame.dport) in ((address, 9001), (bench.address("s1"), p.AERO_PORT))
    assert u.wait_for(lambda f: f.node == "c1" and f.nd == p.NS and f.dport == 9001)
    # With none enabled the Server is the only way.
    peer.willing = False
    peer.through_server(p.neighbor_advertisement(C2, C1, p.tllao(1, 0, 9001, address), S=0))
    peer.bench.wait_for(lambda: not any(course["direct"] for course in bench.ask("c1", "redirects")), 3)
    number = peer.data_from_h1()
    assert u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f)).dst == bench.address("s1")
    assert not u.find(lambda f: f.node == "c1" and f.dport == 9000)
