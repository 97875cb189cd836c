# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the link.  Each event is a function of the link and a source of chance; it returns what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from tests.chaos import plan
from tests.chaos.link import Link
from tests.chaos.node import Node

Event = Callable[[Link, Random], str]


def kill_one(link: Link, random: Random) -> str:
    """kill -9 of one daemon."""
    daemon = random.choice(link.supervisor.daemons)
    daemon.kill()
    return f"killed {daemon.name}"


def kill_several(link: Link, random: Random) -> str:
    """kill -9 of up to four daemons at about the same time."""
    daemons = random.sample(link.supervisor.daemons, random.randint(2, 4))
    for daemon in daemons:
        daemon.kill()
        time.sleep(random.choice((0, 0, 0.3, 1.0)))
    return "killed " + ", ".join(daemon.name for daemon in daemons)


def kill_again(link: Link, random: Random) -> str:
    """kill -9 of a daemon that has only just been started again."""
    daemon = random.choice(link.supervisor.daemons)
    for _each in range(3):
        daemon.kill()
        time.sleep(random.uniform(0.6, 1.6))
    return f"killed {daemon.name} three times"


def restart_node(link: Link, random: Random) -> str:
    """Power failure: only the disk is left."""
    node = random.choice(list(link.nodes.values()))
    node.crash()
    away = random.choice((0.0, 1.0, 5.0, 15.0))
    time.sleep(away)
    node.boot()
    return f"restarted {node.name}, which was away for {away:g} s"


def cut_cable(link: Link, random: Random) -> str:
    """A node without its underlay for a while, perhaps longer than everybody's patience."""
    node = random.choice(list(link.nodes.values()))
    away = random.choice((0.5, 3.0, 8.0, 20.0))
    node.cable(False)
    time.sleep(away)
    node.cable(True)
    return f"cut {node.name} off for {away:g} s"


def cut_and_kill(link: Link, random: Random) -> str:
    """A node that loses its underlay, then a daemon, and gets both back."""
    node = random.choice(list(link.nodes.values()))
    daemon = random.choice(list(node.daemons.values()))
    node.cable(False)
    time.sleep(random.uniform(0.0, 4.0))
    daemon.kill()
    time.sleep(random.uniform(0.0, 4.0))
    node.cable(True)
    return f"cut {node.name} off and killed {daemon.name}"


def fill_disk(link: Link, random: Random) -> str:
    """No byte is free while Clients move and perhaps a daemon dies; then there is room again."""
    node = _server(link, random)
    node.fill_disk()
    moved = _some_clients(link, random, 20)
    link.ask_clients("move", numbers=moved)
    time.sleep(random.uniform(1.0, 4.0))
    victim = random.choice((None, *node.daemons.values()))
    if victim is not None:
        victim.kill()
        time.sleep(random.uniform(0.0, 3.0))
    node.empty_disk()
    return f"filled the disk of {node.name}, moved {len(moved)} Clients, killed {victim.name if victim else 'nobody'}"


def restart_clients(link: Link, random: Random) -> str:
    """Clients that are killed and start again with what they saved."""
    numbers = _some_clients(link, random, 50)
    link.ask_clients("restart", numbers=numbers)
    return f"restarted {len(numbers)} Clients"


def move_clients(link: Link, random: Random) -> str:
    """Clients whose address changes, while a daemon dies."""
    numbers = _some_clients(link, random, 50)
    daemon = random.choice(link.supervisor.daemons)
    daemon.kill()
    link.ask_clients("move", numbers=numbers)
    return f"killed {daemon.name} and moved {len(numbers)} Clients"


def flush_routes(link: Link, random: Random) -> str:
    """Somebody's hand: all routes of aerod go, or one comes that nobody asked for."""
    node = _server(link, random)
    for family in ("-4", "-6"):
        node.inside("ip", family, "route", "flush", "proto", "128")
    node.inside("ip", "-6", "route", "add", "2001:db8:dead::/64", "dev", "aero0", "proto", "128")
    return f"flushed the routes of {node.name}"


def remove_interface(link: Link, random: Random) -> str:
    """Somebody's hand: aero0 is gone; systemd has it made anew, and Kea open its sockets again."""
    node = random.choice(list(link.nodes.values()))
    node.ip("link del aero0")
    time.sleep(0.1)
    node.prepare()
    if "kea" in node.daemons:
        node.ask_kea("config-reload")
    return f"removed aero0 of {node.name}"


def lose_leases(link: Link, random: Random) -> str:
    """An operator deletes leases in Kea, and recalls the prefixes."""
    node = _server(link, random)
    numbers = _some_clients(link, random, 20)
    prefixes = [prefix for number in numbers for prefix in plan.acps(number)]
    node.kea.free(prefixes)
    node.ask_aerod("recall", prefixes=prefixes)
    return f"deleted {len(prefixes)} leases of {node.name}"


def change_table(link: Link, random: Random) -> str:
    """Some Clients lose their line in the table of all Servers; those of the last time have theirs again."""
    known = set(range(1, link.count + 1))
    gone = set(_some_clients(link, random, 10))
    taken = [prefix for number in sorted(gone & link.entitled) for prefix in plan.acps(number)]
    back = len(known - link.entitled)
    link.entitled = known - gone
    for node in _servers(link):
        node.set_table(sorted(link.entitled))
    for node in _servers(link):
        node.kea.free(taken)
        node.ask_aerod("recall", prefixes=taken)
    return f"{len(gone)} Clients lost their line, {back} had it back before"


EVENTS: tuple[tuple[Event, int], ...] = (
    (kill_one, 6),
    (kill_several, 4),
    (kill_again, 2),
    (restart_node, 5),
    (cut_cable, 5),
    (cut_and_kill, 2),
    (fill_disk, 3),
    (restart_clients, 2),
    (move_clients, 2),
    (flush_routes, 1),
    (remove_interface, 1),
    (lose_leases, 1),
    (change_table, 2),
)


def choose(random: Random) -> Event:
    """One of the events, by its weight."""
    events, weights = zip(*EVENTS, strict=True)
    return random.choices(events, weights)[0]


def _servers(link: Link) -> list[Node]:
    return [node for node in link.nodes.values() if node.plan.role == "server"]


def _server(link: Link, random: Random) -> Node:
    return random.choice(_servers(link))


def _some_clients(link: Link, random: Random, most: int) -> list[int]:
    return random.sample(range(1, link.count + 1), random.randint(1, min(most, link.count)))
