# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a Client without its doing: its Server dies, the NAT before it forgets it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.bench.flows import Flow
from tests.bench.kinds import Kind, back_within
from tests.bench.lab_nodes import Ip, answers, ask, client_at, server_of
from tests.bench.moves import C2, H2, SERVERS
from tests.lab.door import in_namespace, on_node, wait_for

RELAYS = ("r1", "r2")
DAEMONS = ("aerod", "bird", "kea-dhcp6-server")
FORGET = str(Path(__file__).with_name("forget.py"))


class ServerCrash(Kind):
    """The Server that carries c2's packets both ways is cut off and all its daemons killed; then it comes back."""

    flows = (
        Flow("x1", "h2", H2, "by Relay and Server"),
        Flow("h2", "x1", "3fff:1::80", "by Server and Relay"),
    )
    rest = 1.0
    afterwards = "it comes back"

    def __init__(self, associations: int) -> None:
        self.name = f"the Server dies, c2 has {associations}"
        self.goal = back_within(5 if associations == 2 else 10)
        self.settings = {"c2": {"aero_client_servers": associations}}
        self._associations = associations

    def prepare(self) -> None:
        self.switch = Ip("switch")
        self._wait_until_whole()

    def move(self, number: int) -> int:
        (self.victim,) = {server_of(relay, C2) for relay in RELAYS}
        moment = time.monotonic_ns()
        self.switch(f"link set {self.victim}.eth0 down")
        on_node(self.victim, f"systemctl kill --kill-who=main --signal=KILL {' '.join(DAEMONS)}")
        return moment

    def settle(self, number: int) -> None:
        wait_for(lambda: self.flows[0].arrives() and self.flows[1].arrives(), "both streams are back", 60)

    def again(self, number: int) -> None:
        self.switch(f"link set {self.victim}.eth0 up")
        self._wait_until_whole()

    def _wait_until_whole(self) -> None:
        wait_for(lambda: all(map(answers, SERVERS)), "both aerod run", 60)
        wait_for(lambda: all(map(_has_sessions, SERVERS)), "both Servers have their BGP sessions", 60)
        wait_for(lambda: self._at() == self._associations, f"c2 is at {self._associations} Servers", 120)
        (relayed,) = wait_for(self._agreed, "all Relays use the same Server", 60)
        if _primary() != relayed:
            wait_for(lambda: ask("c2", "move", address=_address(relayed)), "c2 moves", 10)
            wait_for(lambda: _primary() == relayed and self._at() == self._associations, "c2 has moved", 60)

    def _at(self) -> int:
        """At how many Servers c2 is, when all agree."""
        own = [lease for lease in ask("c2", "leases") if lease["state"] == "bound" and not lease["silent"]]
        at = [server for server in SERVERS if (client_at(server, C2) or {}).get("prefixes")]
        return len(own) if len(own) == len(at) else 0

    @staticmethod
    def _agreed() -> set[str] | None:
        found = {server_of(relay, C2) for relay in RELAYS}
        return found if len(found) == 1 and None not in found else None

    def restore(self) -> None:
        self.switch(*(f"link set {server}.eth0 up" for server in SERVERS))
        self.switch.close()


def _has_sessions(server: str) -> bool:
    return on_node(server, "birdc show protocols", check=False).count("Established") == len(RELAYS)


def _address(server: str) -> str:
    return {"s1": "fe80::b", "s2": "fe80::c"}[server]


def _primary() -> str | None:
    at = ask("c2", "status")["primary"]
    return {"fe80::b": "s1", "fe80::c": "s2"}.get(at)


class NatForgets(Kind):
    """The NAT before c1 forgets all mappings while c1 only receives, at any moment of its keepalive."""

    flows = (Flow("x1", "h1", "2001:db8:1000:2000:ae:ff:fe05:2", "by Relay and Server"),)

    def __init__(self, keepalive: int, random: Random) -> None:
        self.name = f"the NAT forgets, keepalive {keepalive} s"
        self.goal = back_within(keepalive + 5)
        self.settings = {"c1": {"aero_keepalive": keepalive}}
        self._keepalive = keepalive
        self._random = random

    def move(self, number: int) -> int:
        time.sleep(self._random.uniform(0, self._keepalive))
        forget = in_namespace("nat", sys.executable, FORGET)
        return int(subprocess.run(forget, capture_output=True, text=True, check=True).stdout)

    def settle(self, number: int) -> None:
        wait_for(self.flows[0].arrives, "the stream is back", self._keepalive + 60)
