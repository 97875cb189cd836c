# SPDX-License-Identifier: GPL-3.0-or-later
"""A restarted aerod goes on from its saved state."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aerod.address import Prefix
from aerod.interface import Output, SaveState
from tests.unit.aerod.harness import C1, H1, H2, Link, ip6, lla, underlay
from tests.unit.aerod.host import Nat
from tests.unit.aerod.nodes.test_whole_link import assert_traffic


def restarted(link: Link, host, pause: float = 2.0) -> None:
    """Stop the daemon, wait, and start it with what it saved as JSON."""
    saved = json.loads(json.dumps(host.stop()))
    link.run(pause)
    saved["age"] = pause
    host.routes.clear()
    host.leases = ()
    host.start(saved)


@pytest.mark.parametrize("nat", [None, "203.0.113.200"])
def test_server(nat) -> None:
    """Neighbors, routes and links are back before any Client says a word, NAT or not."""
    link = Link(c1=("10.77.0.2",) if nat else ("203.0.113.101",), nat=Nat(nat) if nat else None).settled()
    before = link.s1.node.neighbors(link.now, "static")[0]
    routes = set(link.s1.routes)
    restarted(link, link.s1)
    link.use_relay(link.s1, 1)
    after = link.s1.node.neighbors(link.now, "static")[0]
    assert link.s1.routes == routes
    assert after["links"] == before["links"] and after["prefixes"] == before["prefixes"]
    assert after["expires_in"] == pytest.approx(before["expires_in"] - 2)
    sent = len(link.log)
    assert_traffic(link)
    assert all(d.payload[0] != 0x60 or d.payload[6] != 17 for _unused, d in link.log[sent:])


def test_server_after_too_long() -> None:
    """What ended meanwhile is not restored."""
    link = Link().settled()
    link.cut.add("c1")
    restarted(link, link.s1, 7300)
    assert link.s1.routes == set()
    assert link.s1.node.neighbors(link.now, "static") == []


def test_server_without_saved_state() -> None:
    """The next Renew brings the Client back."""
    link = Link().settled()
    link.s1.stop()
    link.s1.routes.clear()
    link.s1.start(None)
    link.use_relay(link.s1, 1)
    link.c1.send(ip6(H1, H2))
    assert link.c2.delivered == []
    link.run(1000)
    assert_traffic(link)


def test_server_keeps_a_release_in_its_grace() -> None:
    """Remaining lifetimes are saved, not the original ones."""
    link = Link().settled()
    link.c1.node.release(link.now)
    link.run(1)
    restarted(link, link.s1, 1)
    assert len(link.s1.routes) == 2
    link.run(4)
    assert link.s1.routes == set()


def test_client() -> None:
    """Leases, Server and ASPs are back; no new exchange is needed."""
    link = Link().settled()
    before = link.c1.node.leases(link.now)[0]
    restarted(link, link.c1)
    after = link.c1.node.leases(link.now)[0]
    for key in ("server", "state", "seen_as", "asps", "behind_nat"):
        assert after[key] == before[key]
    assert after["renew_in"] == pytest.approx(before["renew_in"] - 2)
    assert [str(lease.prefix) for lease in link.c1.leases] == ["198.51.100.32/28", "2001:db8:1000:2000::/56"]
    sent = len(link.log)
    assert_traffic(link)
    assert all(d.payload[6] != 17 for _unused, d in link.log[sent:] if d.payload[0] == 0x60)
    link.run(1000)
    assert link.c1.node.leases(link.now)[0]["state"] == "bound"


def watched(link: Link) -> list[tuple[Output, list]]:
    """What the first Client gives its shell from now on, each time with what it would save then."""
    seen, take = [], link.c1.node.take_output

    def take_output() -> Output:
        seen.append((take(), link.c1.node.saved_state(link.now)["associations"]))
        return seen[-1][0]

    link.c1.node.take_output = take_output
    return seen


def test_client_saves_before_anybody_hears_of_it() -> None:
    """Killed in the next moment it has neither forgotten what it was granted nor kept what it released."""
    link = Link()
    seen = watched(link)
    link.settled()
    (saved,) = [saved for output, saved in seen if SaveState(first=True) in output.actions]
    assert len(saved[0]["leases"]) == 2
    link.c1.node.release(link.now)
    link.c1.node.handle_timer(link.now)
    link.settle(link.c1)
    output, saved = seen[-1]
    assert output.datagrams and SaveState(first=True) in output.actions and saved == []


def test_client_saves_later_what_can_wait() -> None:
    """A Renew brings new lifetimes, which hold nobody up."""
    link = Link().settled()
    saves, seen = link.c1.saves, watched(link)
    link.run(1100)
    assert link.c1.saves > saves
    assert not any(SaveState(first=True) in output.actions for output, _saved in seen)


def test_client_at_another_address() -> None:
    """Its Server hears at once that the Client has moved meanwhile."""
    link = Link().settled()
    link.c1.underlays = [underlay("203.0.113.150")]
    restarted(link, link.c1)
    link.run(0.1)
    assert_traffic(link)


def servers_of_c1(link: Link) -> list[str]:
    """Which Servers know c1."""
    known = {server.name: server.node.leases(link.now) for server in (link.s1, link.s2)}
    return [name for name, leases in known.items() if C1.hex() in {lease["client_id"] for lease in leases}]


def test_client_that_shall_have_fewer_servers() -> None:
    """The others are left in order: they would go on drawing its traffic until the lease ends."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    client = replace(link.c1.config.client, server_count=1)
    link.c1.config = replace(link.c1.config, client=client)
    restarted(link, link.c1)
    link.run(10)
    assert len(servers_of_c1(link)) == len(link.c1.node.leases(link.now)) == 1


def test_client_whose_server_is_no_longer_configured() -> None:
    """It is left in order, too, and carries the traffic until another Server does."""
    link = Link().settled()
    client = replace(link.c1.config.client, server_addresses=(lla("203.0.113.12"),))
    link.c1.config = replace(link.c1.config, client=client)
    restarted(link, link.c1)
    assert_traffic(link)
    link.run(10)
    assert servers_of_c1(link) == ["s2"]


def test_client_without_what_an_earlier_run_left_behind() -> None:
    """It is at another Server now; the one before goes on sending, until it is asked and released (O-51)."""
    link = Link(c2_servers=("203.0.113.11",)).settled()
    client = replace(link.c1.config.client, server_addresses=(lla("203.0.113.12"), lla("203.0.113.11")))
    link.c1.config = replace(link.c1.config, client=client)
    link.c1.stop()
    link.c1.start(None)
    link.run(3)
    assert servers_of_c1(link) == ["s1", "s2"] and len(link.c1.node.leases(link.now)) == 1
    for _unused in range(20):
        link.r1.send(ip6("2001:5::1", H1))
        link.run(1)
    assert servers_of_c1(link) == ["s2"]
    link.c1.take_delivered()
    link.r1.send(ip6("2001:5::1", H1))
    link.run(1)
    assert link.c1.take_delivered() == [ip6("2001:5::1", H1)]


def test_client_after_its_lease_ended() -> None:
    """It starts over."""
    link = Link().settled()
    restarted(link, link.c1, 7300)
    assert link.c1.leases == ()
    link.run(3)
    assert len(link.c1.leases) == 2
    assert_traffic(link)


def test_client_with_nothing_tells_so() -> None:
    """The shell gets the full, empty state and can clear what an earlier run left."""
    link = Link()
    assert (link.c1.leases, link.c1.lease_reports) == ((), 1)


@pytest.mark.parametrize(
    "saved", [{"clients": 7, "associations": 7}, {"clients": [{}], "associations": [{}]}]
)
def test_saved_state_that_is_none(saved) -> None:
    """The node starts afresh and says so."""
    link = Link()
    for host in (link.c1, link.s1):
        host.notices.clear()
        host.start(saved)
        assert "saved state" in host.notices[0]
    link.use_relay(link.s1, 1)
    link.run(3)
    assert_traffic(link)


def test_saved_state_of_another_configuration() -> None:
    """What the configuration no longer has is left out."""
    link = Link().settled()
    saved = link.s1.stop()
    asps = (Prefix.parse("2001:db8::/32"),)
    link.s1.config = replace(link.s1.config, link=replace(link.s1.config.link, asps=asps))
    link.s1.routes.clear()
    link.s1.start(saved)
    assert link.s1.routes == {Prefix.parse("2001:db8:1000:2000::/56")}
    saved = link.c1.stop()
    client = replace(link.c1.config.client, prefixes=1)
    link.c1.config = replace(link.c1.config, client=client)
    link.c1.start(saved)
    assert [str(lease.prefix) for lease in link.c1.leases] == ["2001:db8:1000:2000::/56"]


def test_relay_keeps_nothing() -> None:
    """Its routes come from the kernel."""
    link = Link().settled()
    assert link.r1.stop() == {}
    link.r1.start({})
    assert link.r1.node.status(link.now)["routes"] == 0
    for prefix in link.s1.routes | link.s2.routes:
        link.announce(prefix)
    assert_traffic(link)
    assert Prefix.parse("2001:db8:1::/64") in link.s2.routes
