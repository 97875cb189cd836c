# SPDX-License-Identifier: GPL-3.0-or-later
"""A short sample of ``make chaos``; root only, in network namespaces."""

from __future__ import annotations

import pytest

from tests import namespaces
from tests.chaos import plan
from tests.chaos.checks import RelayView, ServerView, View, mismatches
from tests.chaos.scenario import Scenario

_MISSING = namespaces.missing("kea-dhcp6", "bird", "birdc")
CLIENTS, EVENTS, SEED = 40, 8, 365


@pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING))
def test_sample():
    """Few Clients, few events; Failed says what did not find back."""
    Scenario(CLIENTS, SEED).run(EVENTS)


def _in_order() -> View:
    """One Client with both its prefixes at two Servers, and a stranger."""
    held = {server.link_local: sorted(plan.acps(1)) for server in plan.SERVERS[:2]}
    prefixes = set(plan.acps(1))
    relays = [relay.name for relay in plan.RELAYS]
    servers = {
        server.name: ServerView(
            dict.fromkeys(prefixes, plan.duid(1)), set(prefixes), dict.fromkeys(prefixes, plan.duid(1)),
            {relay: set(prefixes) for relay in relays}, {plan.RELAYS[0].link_local},
        )
        for server in plan.SERVERS[:2]
    }  # fmt: skip
    via = plan.SERVERS[0].link_local
    return View(
        {1: {"prefixes": sorted(prefixes), "servers": held, "states": []},
         2: {"prefixes": [], "servers": {}, "states": []}},
        servers,
        {relay: RelayView(True, dict.fromkeys(prefixes, via), 2) for relay in relays},
        frozenset({1}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        ("v.clients[1]['prefixes'].pop()", "Client without its prefix"),
        ("v.clients[2]['prefixes'].append(ACP)", "prefix of nobody"),
        ("v.clients[1]['servers'].pop(S1)", "Client with too few Servers"),
        ("v.servers['s1'].bindings = None", "daemon does not answer"),
        ("v.servers['s1'].leases = None", "daemon does not answer"),
        ("v.servers['s1'].bindings.pop(ACP)", "lease without neighbor"),
        ("v.servers['s1'].leases.pop(ACP)", "neighbor without DHCPv6 lease"),
        ("v.servers['s1'].routes.remove(ACP)", "neighbor without route"),
        ("v.servers['s1'].routes.add('2001:db8:9::/64')", "route without neighbor"),
        ("v.servers['s1'].announced['r2'].remove(ACP)", "route not announced"),
        ("v.servers['s1'].announced['r2'].add('2001:db8:9::/64')", "announced without route"),
        ("v.servers['s1'].defaults.clear()", "no default route"),
        ("v.servers['s1'].unsaved = True", "state not saved"),
        ("v.relays['r1'].answers = False", "daemon does not answer"),
        ("v.relays['r1'].routes.pop(ACP)", "Client without route at the Relay"),
        ("v.relays['r1'].routes['2001:db8:9::/64'] = S1", "stale route at the Relay"),
        ("v.relays['r1'].routes[ACP] = 'fe80::99'", "route to the wrong Server"),
        ("v.relays['r1'].known = 1", "aerod does not know its kernel's routes"),
    ],
)
def test_each_mismatch_is_seen(spoil, name):
    """By its name; a link in order has none."""
    view = _in_order()
    assert mismatches(view) == []
    exec(spoil, {"v": view, "ACP": plan.acps(1)[0], "S1": plan.SERVERS[0].link_local})
    found = mismatches(view)
    assert name in {line.partition(":")[0] for line in found}, found
