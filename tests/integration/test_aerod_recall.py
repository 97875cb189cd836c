# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefixes taken back while they are leased, with a real Kea; root only, in network namespaces."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical

from tests.integration.aerod_link import ACP4, ACP6, DUID, LINE, Link, missing, running_link
from tests.kea import bring
from tests.namespaces import wait_for

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture
def link():
    with running_link() as made:
        yield made


def recall(link: Link, *prefixes: str) -> str:
    """Run ``aeroctl recall`` as the operator does."""
    command = [*link.command[:-1], "aeroctl", "recall", "--socket", str(link.directory / "s" / "aerod.sock")]
    given = "\n".join(prefixes)
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout


def routes(link: Link) -> set[str]:
    """The kernel's ACP routes at the Server."""
    shown = link.show("s", "-6", "route", "show", "proto", "128") + link.show("s", "route", "show", "proto", "128")
    return {route["dst"] for route in shown}


def test_reservation_removed(link) -> None:
    """Nothing of the Client is left, at the Server and at itself, long before its lease would have ended."""
    bring(link.kea, [])
    assert link.kea.free([ACP6, ACP4]) == []
    assert recall(link, ACP6, ACP4, "2001:db8:77::/64").startswith("recalling 2 prefixes of 1 Clients")
    wait_for(lambda: not link.ask("s", "leases"), 3)
    assert not routes(link) and not link.ask("s", "neighbors", kind="static")
    wait_for(lambda: not link.has_lease(), 3)
    wait_for(lambda: not link.show("c", "-6", "route", "show", "table", "8060"), 3)
    # And it comes back as soon as its line does.
    bring(link.kea, [LINE])
    wait_for(link.has_lease, 40)
    assert routes(link) == {ACP6, ACP4}
    assert not link.ask("c", "leases")[0]["leaving"]


def test_one_of_two(link) -> None:
    """The other prefix stays, without a gap."""
    bring(link.kea, [canonical(DUID, [ACP6])])
    assert link.kea.free([ACP4]) == []
    recall(link, ACP4)
    wait_for(lambda: routes(link) == {ACP6}, 3)
    wait_for(lambda: [p["prefix"] for p in link.ask("c", "leases")[0]["prefixes"]] == [ACP6], 3)
    assert link.has_lease()


def test_dead_client(link) -> None:
    """Nobody answers for it: gone a few seconds later."""
    link.kill("c")
    recall(link, ACP6, ACP4)
    wait_for(lambda: not routes(link), 8)
    assert not link.ask("s", "leases")


def test_confirmed_grant(link) -> None:
    """Kea grants again, as its table has the line: all stays."""
    assert link.kea.free([ACP6, ACP4]) == []
    recall(link, ACP6, ACP4)
    wait_for(lambda: link.ask("s", "leases")[0]["valid_in"] > 60, 3)
    wait_for(lambda: link.kea.ask("lease6-get-all").get("arguments", {}).get("leases"), 3)
    assert routes(link) == {ACP6, ACP4} and link.has_lease()
