# SPDX-License-Identifier: GPL-3.0-or-later
"""Small links, other ones each time; ``make simulation`` runs the big ones."""

from __future__ import annotations

from random import SystemRandom

import pytest

from aerod.interface import KernelRoute
from tests.simulation import checks
from tests.simulation.link import Link
from tests.simulation.scenario import CAUSED, Report, run

_RELAYS = 2


@pytest.fixture(scope="module")
def reports(pytestconfig) -> tuple[Report, Report]:
    """A link, and one of seven times as many Clients."""
    seed = SystemRandom().randrange(1 << 32)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f" (simulation seed {seed}) ", end="")
    return run(100, 8, _RELAYS, seed, storm=100), run(700, 20, _RELAYS, seed, storm=100)


def test_nobody_is_lost(reports):
    for report in reports:
        assert not report.wrong, "\n".join(report.lines())
        assert report.storm_moves > 50
        assert report.direct > 0.9


def test_a_move_costs_the_same_on_a_bigger_link(reports):
    small, big = reports
    for how, counts in big.per_move.items():
        for kind in CAUSED:
            assert counts.get(kind, 0) <= 1.25 * small.per_move[how].get(kind, 0) + 1, (how, kind, big.seed)


def test_a_move_costs_what_the_draft_says(reports):
    for report in reports:
        moved = report.per_move
        # A Rebind and its Reply with each of two Servers; a link that comes and one that goes.
        assert moved["address"]["DHCPv6"] == pytest.approx(4, abs=0.2), report.seed
        assert moved["link"]["DHCPv6"] == pytest.approx(8, abs=0.2), report.seed
        # Solicit, Request, Release and their answers (O-28); the Rebind through the new Server.
        assert moved["server"]["DHCPv6"] <= 8.5, report.seed
        # One update of the new Server and one of the old one, to each Relay.
        assert moved["server"]["BGP"] <= 2 * _RELAYS, report.seed
        assert "BGP" not in moved["address"] and "BGP" not in moved["link"], report.seed


def test_the_checks_notice_what_is_wrong():
    link = Link(6, 2, 1, 1)
    link.start(2.0)
    link.network.run(20.0)
    here = [(link.clients[0], link.clients[1])]
    assert not list(checks.pointing_nowhere(link)) and not list(checks.wrong_routes(link))
    assert not list(checks.unreachable(link, here)) and not list(checks.unassociated(link))
    lost = link.clients[1]
    for underlay in lost.underlays:
        del link.network.holders[underlay.addresses[0]]
    assert any("nobody is there" in line for line in checks.pointing_nowhere(link))
    assert list(checks.unreachable(link, here))
    gone = KernelRoute(link.prefix(lost), None)
    link.network.relays[0].node.route_changed(gone, link.network.now)
    assert list(checks.wrong_routes(link))
