# SPDX-License-Identifier: GPL-3.0-or-later
"""The same moves over plain kernel routing, in the same nodes, past the AERO link.

The stream comes from the management host by the underlay's router.  An ordinary host is reached at
its own address; where a prefix moves, the router is told of the new way in the very moment, as if all
knew everything at once, except in :class:`PlainCrash`, where BGP with the link's own timers finds out.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.flows import Flow
from tests.bench.kinds import Kind
from tests.bench.lab_nodes import Ip
from tests.bench.moves import ACCESS, OnAccessLinks, up
from tests.lab.door import in_namespace, on_node, wait_for

# An address that moves with its node (RFC 5737).
MOBILE = "192.0.2.2"


class Plain(OnAccessLinks):
    """c2 is an ordinary router: its aerod is stopped, and MOBILE is a prefix behind it."""

    flows = (Flow("mgmt", "c2", MOBILE, "plain routing"),)

    def prepare(self) -> None:
        on_node("c2", "systemctl stop aerod")
        super().prepare()
        self.router = Ip("router")
        self.ip(f"addr replace {MOBILE}/32 dev lo")
        self.router(f"route replace {MOBILE}/32 via {ACCESS['eth0'][0][0]}")

    def wait_until_known(self, address: str, *gone: str) -> None:
        """Nobody is to be told."""

    def restore(self) -> None:
        self.ip(f"addr del {MOBILE}/32 dev lo")
        self.router(f"route del {MOBILE}/32")
        self.router.close()
        super().restore()
        on_node("c2", "systemctl start aerod")


class PlainLink(Plain):
    name = "without AERO: second link, route changed"

    def move(self, number: int) -> int:
        (new, old) = ("eth1", "eth0") if number % 2 == 0 else ("eth0", "eth1")
        to = ACCESS[new][0][0]
        moment = time.monotonic_ns()
        self.ip(f"link set {new} up", *up(new, to))
        time.sleep(0.1)
        self.router(f"route replace {MOBILE}/32 via {to}")
        time.sleep(0.1)
        self.ip(f"link set {old} down", f"addr del {ACCESS[old][0][0]}/{ACCESS[old][1]} dev {old}")
        return moment


class PlainAddress(Plain):
    name = "without AERO: address, route changed"

    def move(self, number: int) -> int:
        old, new = (ACCESS["eth0"][0][n % 2] for n in (number, number + 1))
        self.ip(f"addr del {old}/{ACCESS['eth0'][1]} dev eth0")
        time.sleep(0.01)
        moment = time.monotonic_ns()
        self.ip(*up("eth0", new))
        self.router(f"route replace {MOBILE}/32 via {new}")
        return moment


class PlainHost(Plain):
    """Whoever sends to the old address is not told."""

    name = "without AERO: address of a plain host"
    flows = (Flow("mgmt", "c2", ACCESS["eth0"][0][0], "plain address"),)

    def move(self, number: int) -> int:
        old, new = ACCESS["eth0"][0]
        moment = time.monotonic_ns()
        self.ip(f"addr del {old}/{ACCESS['eth0'][1]} dev eth0", *up("eth0", new))
        time.sleep(5)
        return moment

    def again(self, number: int) -> None:
        self.ip(*up("eth0", ACCESS["eth0"][0][0]))
        wait_for(self.flows[0].arrives, "the host has its old address back")


class PlainNextHop(Kind):
    """A planned move: the router is told of another next hop, and the old one goes on forwarding."""

    name = "without AERO: next hop, route changed"
    flows = (Flow("mgmt", "s3", MOBILE, "plain routing"),)

    def prepare(self) -> None:
        on_node("s3", f"ip addr replace {MOBILE}/32 dev lo")
        for server in NEXT_HOPS:
            on_node(server, f"sysctl -qw net.ipv4.ip_forward=1; ip route replace {MOBILE}/32 via {S3}")
        self.router = Ip("router")
        self.lead()

    def lead(self) -> None:
        """Have the router know a way."""
        self.router(f"route replace {MOBILE}/32 via {NEXT_HOPS['s1']}")

    def move(self, number: int) -> int:
        moment = time.monotonic_ns()
        self.router(f"route replace {MOBILE}/32 via {NEXT_HOPS['s2' if number % 2 == 0 else 's1']}")
        return moment

    def restore(self) -> None:
        on_node("s3", f"ip addr del {MOBILE}/32 dev lo")
        for server in NEXT_HOPS:
            on_node(server, f"ip route del {MOBILE}/32; sysctl -qw net.ipv4.ip_forward=0")
        self.router(f"route flush {MOBILE}/32")
        self.router.close()


class PlainCrash(PlainNextHop):
    """The next hop is cut off, and BIRD on the router, with the timers of the link's BIRDs, finds out."""

    name = "without AERO: the next hop dies, BGP"

    def lead(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="aero-bench-")
        timers = "\n".join(TIMERS.findall(on_node("s1", "cat /etc/bird/bird.conf")))
        self._birds = [
            self._bird(name, "\n".join((SPEAKER.format(id=address, timers=timers), *protocols)))
            for name, address, protocols in (
                ("router", ROUTER, [LEARN, *(session(ROUTER, hop) for hop in NEXT_HOPS.values())]),
                *((name, hop, [ANNOUNCE, session(hop, ROUTER)]) for name, hop in NEXT_HOPS.items()),
            )
        ]
        self.switch = Ip("switch")
        self.again(0)

    def _bird(self, name: str, text: str) -> subprocess.Popen:
        """Run a BIRD of the machine's in a namespace."""
        config = Path(self._directory.name, f"{name}.conf")
        config.write_text(text)
        control = config.with_suffix(".ctl")
        return subprocess.Popen(in_namespace(name, "bird", "-f", "-c", str(config), "-s", str(control)))

    def _routes(self) -> str:
        control = Path(self._directory.name, "router.ctl")
        show = ("birdc", "-s", str(control), "show route for", MOBILE, "all")
        return subprocess.run(show, capture_output=True, text=True, check=False).stdout

    def move(self, number: int) -> int:
        used = subprocess.run(
            in_namespace("router", "ip", "route", "get", MOBILE), capture_output=True, text=True, check=True
        ).stdout
        self.victim = next(name for name, hop in NEXT_HOPS.items() if f"via {hop} " in used)
        moment = time.monotonic_ns()
        self.switch(f"link set {self.victim}.eth0 down")
        return moment

    def settle(self, number: int) -> None:
        wait_for(self.flows[0].arrives, "the stream is back", 60)

    def again(self, number: int) -> None:
        self.switch(*(f"link set {name}.eth0 up" for name in NEXT_HOPS))
        wait_for(self._knows_both, "both next hops announce the prefix", 60)

    def _knows_both(self) -> bool:
        routes = self._routes()
        return all(f"via {hop} " in routes for hop in NEXT_HOPS.values())

    def restore(self) -> None:
        for bird in self._birds:
            bird.terminate()
            bird.wait()
        self._directory.cleanup()
        self.switch.close()
        super().restore()


def session(local: str, neighbor: str) -> str:
    """A BGP session beside those of the link's own BIRD, so on a port of its own."""
    asn = [64990 + int(address == ROUTER) for address in (local, neighbor)]
    return (
        f"protocol bgp from speaker {{ local {local} port 1179 as {asn[0]}; "
        f"neighbor {neighbor} port 1179 as {asn[1]}; }}"
    )


ROUTER, S3 = "203.0.113.62", "203.0.113.13"
NEXT_HOPS = {"s1": "203.0.113.11", "s2": "203.0.113.12"}
TIMERS = re.compile(r"^\t(?:hold|keepalive|connect delay|connect retry|error wait|error forget) time .*;$", re.M)
SPEAKER = """
router id {id};
protocol device {{ scan time 10; }}
template bgp speaker {{
{timers}
  ipv4 {{ import all; export where source = RTS_STATIC; next hop self; }};
}}
"""
LEARN = "protocol kernel { ipv4 { import none; export all; }; }"
ANNOUNCE = f"protocol static {{ ipv4; route {MOBILE}/32 via {S3}; }}"
