# SPDX-License-Identifier: GPL-3.0-or-later
"""The other ends of a node: packets of its kernel, routes, addresses, errors, names and commands, in any order.

None of these comes from outside, but a kernel, a DNS and an operator are free to say anything at any time. What
nodes do on account of it reaches the others.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

from aerod.address import LinkLayerAddress, Prefix, link_local, parse_address
from aerod.interface import KernelRoute, Underlay, UnderlayError
from aerod.state.forwarding import DEFAULT_ROUTES
from tests.fuzz.captured import Living, living_link
from tests.fuzz.fuzzer import Broken, Report, assert_still_works, forget, measured
from tests.fuzz.mutation import Mutator
from tests.unit.aerod.harness import TABLE
from tests.unit.aerod.host import Host

_BATCH = 20
_TIMES = (0.0, 0.1, 1.0, 10.0, 100.0)
# Few enough to meet each other again; routes of the kernel take memory rightly.
_ROUTES = [*map(Prefix.parse, ["2001:db8:77::/48", "198.51.100.64/26", "::/0"]), *DEFAULT_ROUTES] + [
    Prefix.parse(acp) for acps in TABLE.values() for acp in acps
]
_IDS = (1, 11, 12, 77, 0xFFFFFFFF)
_SPARE = ("203.0.113.120", "203.0.113.121", "fd00:ae::120", "10.77.0.9")
_NAMES = ("example.net", "other.example", "")


def fuzz_inputs(events: int, seed: int) -> Report:
    """Let so many things happen to the nodes of a link; :class:`Broken` with the one that broke a node."""
    random = Random(seed)
    living = living_link(seed)
    inputs = Inputs(living, random)
    report = Report("inputs")
    with measured(report) as measure:
        while report.packets < events:
            for _each in range(_BATCH):
                inputs.happen(random.choice(living.link.hosts))
            report.packets += _BATCH
            inputs.let_time_pass()
            if report.packets * 4 >= events:
                measure()
        inputs.note_counters()
        _calm(living, inputs)
    report.counters = {name: dict(counters) for name, counters in inputs.counters.items()}
    assert_still_works(living.link)
    return report


class Inputs:
    """What may happen to the nodes of a link."""

    def __init__(self, living: Living, random: Random) -> None:
        self._link = living.link
        # What each node counted in all its lives.
        self.counters: dict[str, Counter[str]] = {host.name: Counter() for host in living.link.hosts}
        self._random = random
        self.normal = {host.name: host.underlays for host in living.link.hosts}
        self._mutator = Mutator(living.seen, random)
        self._payloads = [seen.payload for seen in living.seen]
        inner = [seen.payload[seen.inner :] for seen in living.seen if seen.inner is not None]
        self._packets = inner + living.from_kernel * 5
        self._addresses = [ip for host in living.link.hosts for u in host.underlays for ip in u.addresses]
        self._addresses += map(parse_address, _SPARE)
        self._ways = [self._packet] * 20 + [
            self._underlays, self._route, self._names, self._error, self._error, self._clock, self._command,
            self._question, self._restart,
        ]  # fmt: skip

    def happen(self, host: Host) -> None:
        """Let one thing happen to a node."""
        way = self._random.choice(self._ways)
        event = way(host)
        try:
            event()
            self._link.settle(host)
        except Exception as error:
            raise Broken(f"{error!r} of {host.name}: {way.__name__} {event}") from error

    def let_time_pass(self) -> None:
        try:
            self._link.run(self._random.choice(_TIMES))
        except Exception as error:
            raise Broken(f"{error!r} while time passed") from error
        forget(self._link)

    def _packet(self, host: Host) -> Callable[[], None]:
        packet = self._mutator.packet(self._random.choice(self._packets))
        return partial(host.node.packet_from_tun, packet, self._link.now)

    def _underlays(self, host: Host) -> Callable[[], None]:
        random = self._random
        if random.random() < 0.5:
            return partial(host.set_underlays, *self.normal[host.name])
        underlays = []
        for number in range(random.randrange(4)):
            addresses = tuple(random.sample(self._addresses, random.randrange(3)))
            mtu = random.choice((576, 1280, 1500, 9000))
            link_id, preference = random.choice((number, 255)), random.choice((0, 1, 255))
            underlays.append(Underlay(f"eth{number}", link_id, preference, addresses, mtu))
        return partial(host.set_underlays, *underlays)

    def _route(self, host: Host) -> Callable[[], None]:
        via = self._random.choice((None, *map(link_local, _IDS), parse_address("fe80::2001:db8:1:0")))
        route = KernelRoute(self._random.choice(_ROUTES), via)
        return partial(host.node.route_changed, route, self._link.now)

    def _names(self, host: Host) -> Callable[[], None]:
        random, node, now = self._random, host.node, self._link.now
        found = [self._remote() for _each in range(random.randrange(4))]
        name = random.choice(("8.b.d.0.1.0.0.2.aero.linkupnetworks.net", *_NAMES))
        answer = random.choice(((None, None), (None, 60.0), (random.choice(_NAMES), random.choice((0.0, 3600.0)))))
        return random.choice((
            partial(node.servers_found, found, now),
            partial(node.server_found, random.choice(_IDS), found, now),
            partial(node.capability_found, name, *answer, now),
        ))  # fmt: skip

    def _error(self, host: Host) -> Callable[[], None]:
        random = self._random
        kind = random.choice(("icmp", "icmp6", "local"))
        quote = random.choice(self._payloads)[: random.choice((0, 8, 40, 48, 200, 1232))]
        local = LinkLayerAddress(random.choice(self._addresses), 8060)
        numbers = random.choice((0, 1, 2, 3, 4, 12)), random.randrange(8), random.choice((0, 68, 1279, 1280, 1400, 65535))
        error = UnderlayError(kind, *numbers, local, self._remote(), quote)
        return partial(host.node.underlay_error, error, self._link.now)

    def _clock(self, host: Host) -> Callable[[], None]:
        return partial(host.node.clock_set, self._random.choice((0.0, -1e9, 1.7e9, 4e9)))

    def _command(self, host: Host) -> Callable[[], None]:
        node, now, random = host.node, self._link.now, self._random
        where = random.choice((None, *self._addresses, *map(link_local, _IDS)))
        return partial(_unless_refused, random.choice((
            partial(node.move, now, where), partial(node.drain, now, stop=random.random() < 0.8),
            partial(node.release, now),
        )))  # fmt: skip

    def _question(self, host: Host) -> Callable[[], None]:
        node, now = host.node, self._link.now
        address = self._random.choice((*self._addresses, *(prefix.aero_address for prefix in _ROUTES[-4:])))
        return partial(_unless_refused, self._random.choice((
            partial(node.status, now), partial(node.neighbors, now), partial(node.leases, now),
            partial(node.lookup, address, now), partial(node.redirects, now), partial(node.redirects, now, address),
            partial(node.capabilities, now), partial(node.damping, now),
        )))  # fmt: skip

    def note_counters(self) -> None:
        for host in self._link.hosts:
            self.counters[host.name].update(host.node.counters())

    def _restart(self, host: Host) -> Callable[[], None]:
        def restart() -> None:
            self.counters[host.name].update(host.node.counters())
            saved = json.loads(json.dumps(host.stop()))
            host.start({**saved, "age": self._random.choice((0.0, 3.0, 9000.0))})

        return restart

    def _remote(self) -> LinkLayerAddress:
        return LinkLayerAddress(self._random.choice(self._addresses), self._random.choice((8060, 8060, 40001)))


def _unless_refused(ask: Callable[[], object]) -> None:
    """A ValueError is the answer to who asked for what cannot be."""
    with contextlib.suppress(ValueError):
        json.dumps(ask())


def _calm(living: Living, inputs: Inputs) -> None:
    """Let the site be as it was at first, and Clients find back."""
    link = living.link
    for host in link.hosts:
        host.start(host.stop())
        host.set_underlays(*inputs.normal[host.name])
        host.node.clock_set(0.0)
        for prefix in _ROUTES:
            host.node.route_changed(KernelRoute(prefix, None), link.now)
    for server in (link.s1, link.s2):
        link.use_relay(server, 1)
    link.run(8000.0)
    forget(link)
