# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a link: it comes up, is quiet, its Clients move, all at once and over a bad underlay, and rest."""

from __future__ import annotations

import gc
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.simulation import checks
from tests.simulation.footprint import footprint
from tests.simulation.link import MOVES, Link
from tests.simulation.network import Host

_QUIET = 25.0
# Moves a second while they are counted, and what each of them may still cause afterwards.
_MOVES_PER_SECOND = 20.0
_AFTERWARDS = 20.0
# A correspondent sends to who moves, once a second, from before to after the move.
_FLOW_BEFORE, _FLOW_AFTER = 4, 6
_STORM = 30.0
_REST = 150.0
_BAD_LATENCY = (0.005, 0.05)
# Nodes of a kind whose memory is looked at.
_WEIGHED = 4
# What moves cause; NS and NA are there without them too.
CAUSED = ("DHCPv6", "uNA", "BGP", "Predirect", "Redirect")


@dataclass(slots=True)
class Report:
    """What a link cost: messages by kind for each move, and state for each node."""

    clients: int
    servers: int
    relays: int
    seed: int
    moves: dict[str, int] = field(default_factory=dict)
    per_move: dict[str, dict[str, float]] = field(default_factory=dict)
    bytes_per_move: dict[str, float] = field(default_factory=dict)
    quiet: dict[str, float] = field(default_factory=dict)
    state: dict[str, float] = field(default_factory=dict)
    storm_moves: int = 0
    events: int = 0
    messages: int = 0
    seconds: float = 0.0
    kibibytes_per_client: float = 0.0
    direct: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.clients} Clients, {self.servers} Servers, {self.relays} Relays, seed {self.seed}: "
            f"{self.events} events, {self.messages} messages in {self.seconds:.0f} s of one core, "
            f"{self.kibibytes_per_client:.1f} KiB for each Client"
        )
        yield "  at rest, messages a second for each Client: " + _numbers(self.quiet)
        for how, counts in self.per_move.items():
            yield (
                f"  {self.moves[how]} moves ({how}), messages for each: {_numbers(counts)}; "
                f"{self.bytes_per_move[how]:.0f} bytes"
            )
        yield "  state: " + _numbers(self.state)
        storm = f"{self.storm_moves} moves over a bad underlay; then " if self.storm_moves else ""
        yield f"  {storm}direct: {100 * self.direct:.0f} % of pairs"
        for line in self.wrong[:20]:
            yield f"  WRONG: {line}"
        if len(self.wrong) > 20:
            yield f"  and {len(self.wrong) - 20} more"


def _numbers(counts: dict[str, float]) -> str:
    return ", ".join(f"{name} {count:.2f}" for name, count in counts.items()) or "none"


def run(
    clients: int,
    servers: int,
    relays: int,
    seed: int,
    moves: int = 50,
    storm: int = 200,
    loss: float = 0.05,
    samples: int = 2,
    checked: int | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Report:
    """Run a link of this size; ``moves`` of each kind are counted, ``storm`` are in the storm, if there is one.

    At the end ``checked`` Clients, or all, are tried from ``samples`` others each.
    """
    # The nodes of a link live as long as it does, and looking for garbage among millions of objects takes long.
    gc.disable()
    report = Report(clients, servers, relays, seed)
    started, memory = time.process_time(), _memory()
    link = Link(clients, servers, relays, seed)
    link.start(max(10.0, clients / 500))
    link.network.run(20.0)
    progress(f"{len(link.clients)} Clients have come up")
    report.wrong += checks.unassociated(link)
    report.kibibytes_per_client = (_memory() - memory) / clients
    report.quiet = _quiet(link)
    for how in MOVES:
        progress(f"moves ({how})")
        _count_moves(link, how, moves, report)
    if storm:
        progress("moves over a bad underlay")
        report.storm_moves = _storm(link, storm, loss)
    progress("the checks at the end")
    _final_checks(link, samples, checked, report)
    _state(link, report)
    report.events = link.network.events
    report.messages = sum(link.network.messages.values())
    report.seconds = time.process_time() - started
    return report


def _memory() -> int:
    """The most memory this process ever had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _quiet(link: Link) -> dict[str, float]:
    before = link.network.messages.copy()
    link.network.run(_QUIET)
    caused = link.network.messages - before
    return {kind: count / _QUIET / len(link.clients) for kind, count in sorted(caused.items())}


def _count_moves(link: Link, how: str, number: int, report: Report) -> None:
    network = link.network
    messages, sizes = network.messages.copy(), network.bytes.copy()
    done = _spread(link, number, number / _MOVES_PER_SECOND, (how,))
    network.run(number / _MOVES_PER_SECOND + _FLOW_BEFORE + _AFTERWARDS)
    moved = max(1, done[how])
    caused, size = network.messages - messages, network.bytes - sizes
    report.moves[how] = done[how]
    report.per_move[how] = {kind: caused[kind] / moved for kind in CAUSED if caused[kind]}
    report.bytes_per_move[how] = sum(size[kind] for kind in CAUSED) / moved


def _spread(link: Link, number: int, seconds: float, kinds: tuple[str, ...]) -> Counter[str]:
    """Let some Clients move within ``seconds``, each watched by a correspondent; return what was done then."""
    done: Counter[str] = Counter()

    def move(argument: tuple[Host, str]) -> None:
        client, how = argument
        done[how] += link.move(client, how)

    for _number in range(number):
        client = link.random.choice(link.clients)
        (correspondent,) = link.others(client, 1)
        when = _FLOW_BEFORE + link.random.uniform(0.0, seconds)
        link.network.later(when, move, (client, link.random.choice(kinds)))
        for second in range(-_FLOW_BEFORE, _FLOW_AFTER):
            link.network.later(when + second, _send, (link, correspondent, client))
            link.network.later(when + second, _send, (link, client, correspondent))
    return done


def _send(argument: tuple[Link, Host, Host]) -> None:
    link, source, destination = argument
    source.send(link.packet(source, destination))


def _storm(link: Link, number: int, loss: float) -> int:
    network = link.network
    good = network.latency
    network.loss, network.latency = loss, _BAD_LATENCY
    done = _spread(link, number, _STORM, MOVES)
    network.run(_STORM + _FLOW_BEFORE + _FLOW_AFTER)
    network.loss, network.latency = 0.0, good
    network.run(_REST)
    return sum(done.values())


def _final_checks(link: Link, samples: int, checked: int | None, report: Report) -> None:
    report.wrong += checks.unassociated(link)
    report.wrong += checks.pointing_nowhere(link)
    report.wrong += checks.wrong_routes(link)
    tried = link.clients if checked is None else link.random.sample(link.clients, min(checked, len(link.clients)))
    pairs = [(other, client) for client in tried for other in link.others(client, samples)]
    report.wrong += checks.unreachable(link, pairs)
    # Once more: by now they have found the direct way.
    report.wrong += checks.unreachable(link, pairs)
    report.wrong += checks.pointing_nowhere(link)
    direct = 0
    for source, destination in pairs[: 10 * samples * 10]:
        address = link.prefix(destination).value.to_bytes(16, "big")
        found = source.node.lookup(address, link.network.now)["neighbor"]
        direct += found is not None and found["kind"] == "dynamic"
    report.direct = direct / len(pairs[: 10 * samples * 10])


def _state(link: Link, report: Report) -> None:
    def entries(host: Host) -> int:
        return sum(host.node.status(link.network.now)["neighbors"].values())

    at_servers = [entries(server) for server in link.network.servers.values()]
    report.state = {
        "neighbors of a Server (mean)": sum(at_servers) / len(at_servers),
        "(most)": max(at_servers),
        "routes of a Relay": max(relay.node.status(link.network.now)["routes"] for relay in link.network.relays),
        "neighbors of a Client (mean)": sum(map(entries, link.clients)) / len(link.clients),
        "KiB of a Server": _kibibytes(list(link.network.servers.values())),
        "of a Relay": _kibibytes(link.network.relays),
        "of a Client": _kibibytes(link.clients),
    }


def _kibibytes(hosts: list[Host]) -> float:
    """The mean of some of them."""
    some = hosts[:_WEIGHED]
    return sum(footprint(host.node) for host in some) / len(some) / 1024
