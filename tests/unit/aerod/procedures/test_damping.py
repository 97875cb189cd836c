# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client that comes and goes is served at once, but announced late (D12, O-50)."""

from __future__ import annotations

from aerod.address import Prefix
from aerod.interface import AddRoute, RemoveRoute
from aerod.procedures.damping import Damping
from tests.unit.aerod.harness import C1, H1, Link, ip6
from tests.unit.aerod.procedures.dhcpv6_log import ACPS

ACP = Prefix.parse("2001:db8:1::/64")


def cycle(damping: Damping, now: float, moved: bool = False) -> bool:
    """Come and go within a second; return whether it was announced."""
    announced = damping.began(ACP, now)
    assert damping.ended(ACP, moved, now + 1) is announced
    return announced


def test_the_fourth_time_within_a_minute_waits() -> None:
    """AERO-214: three cycles are nobody's fault."""
    damping = Damping(3, 60.0)
    assert [cycle(damping, 10.0 * n) for n in range(5)] == [True, True, True, False, False]


def test_it_waits_for_a_minute_of_stability() -> None:
    """From the last time it came."""
    damping = Damping(3, 60.0)
    for n in range(5):
        cycle(damping, 10.0 * n)
    assert not damping.began(ACP, 50.0)
    assert damping.held(60.0) == [(ACP, 5, 50.0)]
    assert damping.released(109.0) == [] and damping.released(110.0) == [ACP]
    assert damping.held(110.0) == []
    assert damping.ended(ACP, False, 200.0) is True


def test_old_cycles_are_forgotten() -> None:
    """And leave nothing behind."""
    damping = Damping(3, 60.0)
    assert all(cycle(damping, 40.0 * n) for n in range(10))
    assert damping.due() == 360 + 1 + 60 and damping.released(1000.0) == [] and damping.due() is None


def test_proper_moves_do_not_count() -> None:
    """A Client that leaves through another Server never goes dark."""
    damping = Damping(3, 60.0)
    assert all(cycle(damping, 2.0 * n, moved=True) for n in range(20))


def test_limit_zero_damps_nothing() -> None:
    damping = Damping(0, 60.0)
    assert all(cycle(damping, 2.0 * n) for n in range(20)) and damping.due() is None


class Announcements:
    """What a Server announced and withdrew, in order."""

    def __init__(self, link: Link, host) -> None:
        self.log: list[str] = []
        act = link._act

        def note(who, action):
            if who is host and isinstance(action, AddRoute | RemoveRoute) and str(action.prefix) == ACPS[1]:
                self.log.append("+" if isinstance(action, AddRoute) else "-")
            act(who, action)

        link._act = note


def test_at_a_server() -> None:
    """AERO-193: five associations in a minute, three announcements; packets flow from the first moment."""
    link = Link(c1_servers=("203.0.113.11",))
    seen = Announcements(link, link.s1)
    for n in range(5):
        link.run(3)
        assert link.s1.node.leases(link.now), n
        if n == 4:
            break
        link.c1.node.release(link.now)
        link.run(6)
        assert not link.s1.node.leases(link.now)
        link.c1.start(None)
    assert seen.log == ["+", "-"] * 3
    (held, other) = link.s1.node.damping(link.now)
    assert {held["prefix"], other["prefix"]} == set(ACPS)
    assert (held["client_id"], held["ended"]) == (C1.hex(), 4) and 50 < held["announced_in"] <= 60
    # The neighbor entry is there, whatever BGP knows.
    link.c1.send(packet := ip6(H1, "2001:db8:1::10"))
    link.s1.send(back := ip6("3fff::1", H1))
    link.run(0.1)
    assert link.c2.take_delivered() == [packet] and link.c1.take_delivered() == [back]
    link.run(60)
    assert seen.log == ["+", "-"] * 3 + ["+"] and link.s1.node.damping(link.now) == []


def test_a_held_prefix_that_ends_is_not_withdrawn_twice() -> None:
    """What was never announced needs no withdrawal."""
    link = Link(c1_servers=("203.0.113.11",), damping_limit=1)
    seen = Announcements(link, link.s1)
    for _times in range(2):
        link.run(3)
        link.c1.node.release(link.now)
        link.run(6)
        link.c1.start(None)
    assert seen.log == ["+", "-"]
    assert link.s1.node.damping(link.now) == []
