# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lease, neighbor entry, kernel route and BGP announcement of a prefix are not all there, by name.

Each is counted by whoever has it, which costs nothing. Only where counts differ the tables are read and
compared, to name examples.
"""

from __future__ import annotations

import ipaddress
import re

SAMPLE = 5
# The ACPs, at Servers from the kernel and at Relays from BGP (templates bird.conf.j2).
BIRD_ACPS = "show route primary where preference = 210"
# Beyond this many routes the counts must do.
MOST_READ = 20_000

_COUNT = re.compile(r"^(\d+) of \d+ routes for ", re.MULTILINE)
_NETWORK = re.compile(r"^(\S+/\d+)\s", re.MULTILINE)


def bird_count(text):
    """The sum over all tables of what ``show route ... count`` prints."""
    return sum(int(count) for count in _COUNT.findall(text))


def bird_networks(text):
    """The prefixes in what ``show route`` prints."""
    return set(_NETWORK.findall(text))


def mismatch(name, count, sample=()):
    return {"name": name, "count": count, "sample": sorted(sample)[:SAMPLE]}


def of_leases(audit):
    """What aerod found when it last held its neighbors against the DHCPv6 server's leases."""
    for key, name in (
        ("neighbors_without_lease", "neighbor without lease"),
        ("leases_without_neighbor", "lease without neighbor"),
    ):
        found = (audit or {}).get(key, {"count": 0, "sample": []})
        if found["count"]:
            yield mismatch(name, found["count"], found["sample"])


def of_counts(wanted, announced):
    """What is known when the tables are too big to be read."""
    if wanted > announced:
        yield mismatch("neighbor without announced route", wanted - announced)
    elif announced > wanted:
        yield mismatch("announced route without neighbor", announced - wanted)


def of_tables(neighbors, routes, announced):
    """What is in one of a Server's three sets of prefixes and lacks in the next."""
    for name, found in (
        ("neighbor without route", neighbors - routes),
        ("route without neighbor", routes - neighbors),
        ("route not announced", routes - announced),
        ("announced without route", announced - routes),
    ):
        if found:
            yield mismatch(name, len(found), found)


def canonical(destination):
    """A prefix as ip(8) prints it, with its length."""
    return str(ipaddress.ip_network(destination))
