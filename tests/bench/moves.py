# SPDX-License-Identifier: GPL-3.0-or-later
"""The planned moves of a Client under its streams: between access links, addresses and Servers."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress

from aerod.aeroctl import ControlError
from tests.bench.flows import Flow
from tests.bench.kinds import NO_LOSS, Goal, Kind
from tests.bench.lab_nodes import Ip, ask, client_at, links_at, nft
from tests.lab.door import in_namespace, on_node, wait_for

SERVERS = ("s1", "s2")
C2 = "2001:db8:1:2::/64"
H2 = "2001:db8:1:2:ae:ff:fe06:2"
BY_SERVER = Flow("x1", "h2", H2, "by Relay and Server")
DIRECT = Flow("h1", "h2", H2, "Client to Client")
# The access links of c2: addresses that no DHCP server gives out, router, metric.
ACCESS = {
    "eth0": (("203.0.113.121", "203.0.113.122"), 26, "203.0.113.65", 100),
    "eth1": (("203.0.113.185", "203.0.113.186"), 26, "203.0.113.129", 200),
}


def servers_of_c2() -> list[str]:
    return [server for server in SERVERS if client_at(server, C2)]


def up(link: str, address: str) -> list[str]:
    """The ip(8) commands that give c2 an address on an access link."""
    _addresses, length, router, metric = ACCESS[link]
    return [
        f"addr replace {address}/{length} dev {link}",
        f"route replace default via {router} dev {link} metric {metric}",
    ]


class OnAccessLinks(Kind):
    """c2's access links are taken from their DHCP clients; ``eth0`` is the only one that is up."""

    flows = (BY_SERVER, DIRECT)

    def prepare(self) -> None:
        on_node("c2", "systemctl stop lab-dhcp@eth0 lab-dhcp@eth1")
        self.ip = Ip("c2")
        self.ip("link set eth1 down", "addr flush dev eth0 scope global", "addr flush dev eth1 scope global")
        self.ip(*up("eth0", ACCESS["eth0"][0][0]))
        self.wait_until_known(ACCESS["eth0"][0][0])

    def wait_until_known(self, address: str, *gone: str) -> None:
        """Until all Servers and correspondents of c2 send to ``address``, and to none that is ``gone``."""
        wait_for(lambda: self._is_known(address, gone), f"all know c2 at {address}", 60)

    def _is_known(self, address: str, gone: tuple[str, ...]) -> bool:
        at_servers = [links_at(server, C2) for server in servers_of_c2()]
        courses = [course["sent_to"] or "" for course in ask("c1", "neighbors", kind="dynamic")]
        return all(links.get(address) for links in at_servers or [{}]) and not any(
            links.get(old) or any(course.startswith(old) for course in courses)
            for old in gone
            for links in at_servers
        )

    def wait_until_reached(self) -> None:
        """Until all senders reach h2."""
        wait_for(lambda: all(flow.answers() for flow in self.flows), "all senders reach h2", 60)

    def restore(self) -> None:
        self.ip("link set eth0 up", "link set eth1 up")
        self.ip.close()
        # The DHCP client begins with taking away what is there.
        on_node("c2", "systemctl start lab-dhcp@eth0 lab-dhcp@eth1")
        wait_for(lambda: "default" in on_node("c2", "ip -4 route show default dev eth0"), "c2 is on eth0")


class MakeBeforeBreak(OnAccessLinks):
    """The other access link comes up; the first is deprecated, as soon as all know both, and goes."""

    name = "second link up before the first goes"
    goal = NO_LOSS

    def prepare(self) -> None:
        super().prepare()
        self.wait_until_reached()

    def move(self, number: int) -> int:
        (new, old) = ("eth1", "eth0") if number % 2 == 0 else ("eth0", "eth1")
        to, away = ACCESS[new][0][0], ACCESS[old][0][0]
        moment = time.monotonic_ns()
        self.ip(f"link set {new} up", *up(new, to))
        self.wait_until_known(to)
        self.ip(f"addr change {away}/{ACCESS[old][1]} dev {old} preferred_lft 0")
        self.wait_until_known(to, away)
        self.ip(f"link set {old} down", f"addr del {away}/{ACCESS[old][1]} dev {old}")
        return moment


class BreakBeforeMake(OnAccessLinks):
    """The only address goes, then comes another one; the gap counts from when that is usable."""

    name = "the address changes"

    def prepare(self) -> None:
        super().prepare()
        self.wait_until_reached()
        nft("c2", _COUNT_REBINDS)
        bound = max(flow.round_trip() for flow in self.flows) + 0.050
        self.goal = Goal(f"p99 {1000 * bound:.0f} ms", lambda figures: figures.gap[1] <= bound)
        self._apart: set[int] = set()

    def move(self, number: int) -> int:
        old, new = (ACCESS["eth0"][0][n % 2] for n in (number, number + 1))
        self.ip(f"addr del {old}/{ACCESS['eth0'][1]} dev eth0")
        time.sleep(0.01)
        moment = time.monotonic_ns()
        self.ip(*up("eth0", new))
        self.new, self.old = new, old
        return moment

    def settle(self, number: int) -> None:
        # Whoever is asked meanwhile has less time for the move.  Rebinds go out with the address and with each
        # of its routes (O-27); what comes after this half second is sent because an answer did not come.
        time.sleep(0.5)
        at_once = _rebinds()
        self.wait_until_known(self.new, self.old)
        if _rebinds() > at_once:
            self._apart.add(number)

    def group(self, number: int) -> str:
        return "a Rebind was repeated" if number in self._apart else ""

    def restore(self) -> None:
        nft("c2", "delete table inet bench")
        super().restore()


class RebindLost(BreakBeforeMake):
    """The same, but nothing comes through of the first Rebinds."""

    name = "the address changes, first Rebinds lost"

    def prepare(self) -> None:
        super().prepare()
        self.goal = None

    def move(self, number: int) -> int:
        nft("c2", "add rule inet bench out jump drop_rebinds")
        moment = super().move(number)
        time.sleep(0.5)
        nft("c2", "flush chain inet bench out; add rule inet bench out jump count_rebinds")
        return moment

    def settle(self, number: int) -> None:
        self.wait_until_known(self.new, self.old)


# DHCPv6 in plain encapsulation: UDP to 8060, and in it an IPv6 header, UDP to 547, message type 6.
_REBIND = "udp dport 8060 @th,112,8 17 @th,400,16 547 @th,448,8 6"
_COUNT_REBINDS = f"""
table inet bench
delete table inet bench
table inet bench {{
  counter rebinds {{
  }}
  chain count_rebinds {{
    {_REBIND} counter name rebinds
  }}
  chain drop_rebinds {{
    {_REBIND} drop
  }}
  chain out {{
    type filter hook output priority 0
    jump count_rebinds
  }}
}}
"""


def _rebinds() -> int:
    """How many Rebinds c2 has sent since the table was loaded."""
    listed = subprocess.run(
        in_namespace("c2", "nft", "-j", "list counter inet bench rebinds"),
        capture_output=True,
        text=True,
        check=True,
    )
    return next(entry["counter"]["packets"] for entry in json.loads(listed.stdout)["nftables"] if "counter" in entry)


class OtherServer(Kind):
    """c2 has one Server, and leaves it for the other: by its own will, or as the Server asks for it."""

    name = "planned move to another Server"
    flows = (BY_SERVER, DIRECT)
    goal = NO_LOSS
    settings = {"c2": {"aero_client_servers": 1}}

    def __init__(self, interval: float) -> None:
        """``interval`` is how soon c2 may move again, in s."""
        self.interval = interval

    def prepare(self) -> None:
        wait_for(lambda: len(servers_of_c2()) == 1, "c2 is at one Server", 60)

    def move(self, number: int) -> int:
        (self.old,) = servers_of_c2()
        self.moment = time.monotonic_ns()
        if number % 2 == 0:
            ask("c2", "move")
        else:
            ask(self.old, "drain")
        return self.moment

    def settle(self, number: int) -> None:
        """The old Server still forwards for five seconds, then ends its route."""
        (new,) = {*SERVERS} - {self.old}
        wait_for(lambda: servers_of_c2() == [new], f"c2 has left {self.old}")
        with suppress(ControlError):
            ask(self.old, "drain", stop=True)
        time.sleep(max(0.0, self.interval - (time.monotonic_ns() - self.moment) / 1e9))
