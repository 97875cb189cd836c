# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' own bird.conf templates, run by real BIRD processes in network namespaces.

A bridge stands in for the tunnel: every node has a veth named aero0 with its fe80::ID.  Two
Relays, two Servers, one peer on the outside, and one Server that announces what it must not.
Needs root and the packages bird2 and iproute2.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import jinja2
import pytest

ROLES = Path(__file__).parents[2] / "roles"
# x1.conf: the peer outside.  rogue.conf: a Server gone wrong.
CONFIGS = Path(__file__).parent / "bird"
ASPS = ["198.51.100.0/24", "2001:db8::/32", "2001:db9:0:7::/64"]
PASSWORD = "not in any log"
RELAY_ASN = 64512
OUTSIDE_ASN = 64999
IDS = {"r1": 1, "r2": 2, "s1": 11, "s2": 12, "s3": 13}
WAIT = 30.0


def namespace(node: str) -> str:
    return f"aeroroles-{os.getpid()}-{node}"


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def ip(node: str, *arguments: str) -> str:
    return run("ip", "-n", namespace(node), *arguments)


def wait_until(what: str, true) -> None:
    """Poll until ``true()`` holds; fail with ``what`` after WAIT seconds."""
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline, f"not within {WAIT:.0f} s: {what}"
        time.sleep(0.3)


def link() -> dict:
    """The parts of ``aero_link`` that the templates use."""
    def node(name: str) -> dict:
        number = IDS[name]
        return {
            "name": name, "id": number, "link_local": f"fe80::{number:x}", "router_id": f"0.0.0.{number}",
            "asn": RELAY_ASN if name.startswith("r") else 4200000000 + number,
            "bgp_outside": [
                {"name": "x1", "address": "203.0.113.9", "asn": OUTSIDE_ASN, "has_password": False},
                {"name": "x1-6", "address": "fd00:ae::9", "asn": OUTSIDE_ASN, "has_password": True},
            ] if name.startswith("r") else [],
        }
    return {
        "asps": ASPS, "port": 8060, "bgp_relay_asn": RELAY_ASN, "bgp_import_limit": 100,
        "relays": [node("r1"), node("r2")], "servers": [node("s1"), node("s2"), node("s3")],
        "hosts": {name: node(name) for name in IDS},
    }


def render(role: str, node: str, model: dict | None = None) -> str:
    """bird.conf of a node of the link that ``model`` describes, by default the one above."""
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.tests["search"] = lambda text, pattern: re.search(pattern, text) is not None
    template = environment.from_string((ROLES / role / "templates" / "bird.conf.j2").read_text())
    return template.render(
        aero_link=model or link(), inventory_hostname=node, aero_bgp_password=PASSWORD,
        aero_bgp_outside=[{"name": "x1"}, {"name": "x1-6", "password": "outside"}],
    )


class Link:
    """The running namespaces and BIRD processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.birds: dict[str, subprocess.Popen] = {}

    def build(self) -> None:
        run("ip", "netns", "add", namespace("hub"))
        for bridge in ("tunnel", "outside"):
            ip("hub", "link", "add", bridge, "type", "bridge")
            ip("hub", "link", "set", "dev", bridge, "up")
        for node in (*IDS, "x1"):
            run("ip", "netns", "add", namespace(node))
            ip(node, "link", "set", "dev", "lo", "up")
        for node, number in IDS.items():
            self.plug(node, "aero0", "tunnel")
            ip(node, "addr", "add", f"fe80::{number:x}/64", "dev", "aero0", "nodad")
        for node, number in (("r1", 1), ("r2", 2), ("x1", 9)):
            self.plug(node, "eth0", "outside")
            ip(node, "addr", "add", f"203.0.113.{number}/24", "dev", "eth0")
            ip(node, "addr", "add", f"fd00:ae::{number}/64", "dev", "eth0", "nodad")

    @staticmethod
    def plug(node: str, interface: str, bridge: str) -> None:
        port = f"{node}-{bridge}"
        ip(node, "link", "add", interface, "type", "veth", "peer", "name", port, "netns", namespace("hub"))
        ip(node, "link", "set", "dev", interface, "addrgenmode", "none")
        ip(node, "link", "set", "dev", interface, "up")
        ip("hub", "link", "set", "dev", port, "master", bridge, "up")

    def start(self, node: str, config: str) -> None:
        path = self.directory / f"{node}.conf"
        path.write_text(config)
        run("bird", "-p", "-c", str(path))
        self.birds[node] = subprocess.Popen(
            ["ip", "netns", "exec", namespace(node), "bird", "-f", "-c", str(path), "-s", self.socket(node),
             "-P", str(self.directory / f"{node}.pid")],
            stderr=subprocess.DEVNULL,
        )

    def stop(self, node: str) -> None:
        bird = self.birds.pop(node, None)
        if bird:
            bird.terminate()
            bird.wait(10)

    def socket(self, node: str) -> str:
        return str(self.directory / f"{node}.ctl")

    def birdc(self, node: str, *command: str) -> str:
        return run("birdc", "-s", self.socket(node), *command, check=False)

    def established(self, node: str) -> set[str]:
        rows = (line.split() for line in self.birdc(node, "show", "protocols").splitlines())
        return {row[0] for row in rows if len(row) > 1 and row[1] == "BGP" and row[-1] == "Established"}

    def seen_outside(self, relay: str | None = None) -> dict[str, set[str]]:
        """What x1 learned by BGP, as prefix -> {"AS path", ..}; of one Relay if named."""
        seen: dict[str, set[str]] = {}
        for version in (4, 6):
            for peer in (relay,) if relay else ("r1", "r2"):
                prefix = ""
                shown = self.birdc("x1", "show", "route", "all", "protocol", f"{peer}_{version}")
                for line in shown.splitlines():
                    if found := re.match(r"(\S+/\d+)\s", line):
                        prefix = found[1]
                    elif found := re.match(r"\s+BGP\.as_path:\s*(.*)", line):
                        seen.setdefault(prefix, set()).add(found[1].strip())
        return seen

    @staticmethod
    def kernel(node: str, table: str = "main") -> dict[str, dict]:
        """The routes BIRD wrote into a kernel table, both families, prefix -> the route."""
        routes = {}
        for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
            command = ("ip", "-n", namespace(node), "-j", family, "route", "show", "table", table)
            shown = run(*command, check=False)  # a table without any route is an error
            for route in json.loads(shown or "[]"):
                if route.get("protocol") == "bird":
                    routes[default if route["dst"] == "default" else route["dst"]] = route
        return routes

    def next_hops(self, node: str, table: str = "main") -> dict[str, str]:
        """The gateways on aero0 of the routes BIRD wrote."""
        return {
            prefix: route.get("gateway") or route["via"]["host"]
            for prefix, route in self.kernel(node, table).items()
            if route.get("dev") == "aero0" and ("gateway" in route or "via" in route)
        }

    def remove(self) -> None:
        for node in list(self.birds):
            self.stop(node)
        for node in (*IDS, "x1", "hub"):
            run("ip", "netns", "del", namespace(node), check=False)


SERVERS_OF = {"s1": ["2001:db8:1::/56", "198.51.100.32/28", "2001:db9:0:7::/64"], "s2": ["2001:db8:2:1::/64"]}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    net = Link(tmp_path_factory.mktemp("bird"))
    net.remove()
    try:
        net.build()
        for server, acps in SERVERS_OF.items():
            for acp in acps:
                ip(server, "route", "add", acp, "dev", "aero0", "proto", "128")
        ip("s1", "route", "add", "2001:db8:77::/48", "dev", "aero0", "proto", "static")
        for relay in ("r1", "r2"):
            net.start(relay, render("relay", relay))
        for server in SERVERS_OF:
            net.start(server, render("server", server))
        net.start("x1", (CONFIGS / "x1.conf").read_text())
        wait_until("r1 and r2 have their sessions", lambda: all(
            {"s1", "s2", "outside_x1", "outside_x1-6"} <= net.established(relay) for relay in ("r1", "r2")))
        yield net
    finally:
        net.remove()


def test_relay_sends_each_acp_to_its_server(net):
    """An ACP is in the Relay's kernel through fe80::ID on aero0, IPv4 and IPv6 alike."""
    expected = {acp: f"fe80::{IDS[server]:x}" for server, acps in SERVERS_OF.items() for acp in acps}
    wait_until("ACPs at the Relays", lambda: all(
        expected.items() <= net.next_hops(relay).items() for relay in ("r1", "r2")))


def test_relay_calls_the_rest_of_an_asp_unreachable(net):
    """AERO-077: no ACP, no route.  A /64 that is ASP and ACP at once goes to its Server."""
    routes = net.kernel("r1")
    assert routes["2001:db8::/32"]["type"] == "unreachable"
    assert routes["198.51.100.0/24"]["type"] == "unreachable"
    assert "2001:db8:77::/48" not in routes, "a route in the ASP that aerod did not make is not announced"
    assert "::/0" not in routes and "0.0.0.0/0" not in routes, "the Relay's own default is left alone"


def test_relay_takes_routes_from_outside_but_no_default_and_nothing_inside(net):
    wait_until("x1's prefixes at r1", lambda: {"3fff:1::/48", "198.18.0.0/24"} <= set(net.kernel("r1")))
    assert "2001:db8:bad::/48" not in net.kernel("r1")


def test_server_default_is_in_table_8060_only(net):
    """D15: the default toward a Relay never touches the main table, and nothing else is written."""
    wait_until("the Servers' defaults", lambda: all(
        net.next_hops(server, "8060") == {"::/0": "fe80::1", "0.0.0.0/0": "fe80::1"} for server in SERVERS_OF))
    assert [net.kernel(server) for server in SERVERS_OF] == [{}, {}]


def test_outside_sees_the_asps_as_the_relays_own(net):
    """AERO-213: exactly the ASPs, path = the Relays' ASN, none of the Servers' communities."""
    expected = {asp: {str(RELAY_ASN)} for asp in ASPS}
    wait_until("the ASPs at x1", lambda: net.seen_outside("r1") == net.seen_outside("r2") == expected)
    assert "8060" not in net.birdc("x1", "show", "route", "all")


def test_relay_refuses_what_no_server_may_announce(net):
    """AERO-215: outside the ASPs, too long, marked but no ASP, or from another AS behind the Server."""
    net.start("s3", (CONFIGS / "rogue.conf").read_text())
    try:
        good = {"2001:db8:dd::/48", "198.51.100.240/28"}
        wait_until("the rogue's two good routes", lambda: good <= set(net.kernel("r1")))
        acps = {acp for acps in SERVERS_OF.values() for acp in acps}
        assert set(net.kernel("r1")) - acps - {*ASPS, "3fff:1::/48", "198.18.0.0/24"} == good
        assert set(net.seen_outside()) == set(ASPS)
    finally:
        net.stop("s3")


def test_adding_a_neighbor_keeps_the_sessions(net):
    """`birdc configure` with a Server less and back again leaves the others' sessions as they are."""

    def since() -> str:
        lines = net.birdc("r1", "show", "protocols").splitlines()
        return next(line for line in lines if line.startswith("s1 "))

    before = since()
    path = net.directory / "r1.conf"
    full = path.read_text()
    for config in (full.replace("protocol bgp 's3'", "#"), full):
        path.write_text(config)
        assert "Reconfig" in net.birdc("r1", "configure")
        wait_until("the new configuration", lambda: "in progress" not in net.birdc("r1", "show", "status"))
    assert since() == before


def test_acp_goes_with_its_client(net):
    ip("s2", "route", "del", "2001:db8:2:1::/64", "dev", "aero0", "proto", "128")
    wait_until("withdrawn at r1", lambda: "2001:db8:2:1::/64" not in net.kernel("r1"))
    ip("s2", "route", "add", "2001:db8:2:1::/64", "dev", "aero0", "proto", "128")
    wait_until("back at r1", lambda: "2001:db8:2:1::/64" in net.kernel("r1"))


def test_relay_without_servers_is_not_used_from_outside(net):
    """D19: r1 cut off from all Servers withdraws the ASPs; r2 carries on; both again afterwards."""
    ip("hub", "link", "set", "dev", "r1-tunnel", "down")
    wait_until("r1 shows nothing outside", lambda: net.seen_outside("r1") == {})
    assert net.seen_outside("r2") == {asp: {str(RELAY_ASN)} for asp in ASPS}
    routes = net.kernel("r1")
    assert routes["2001:db8::/32"]["type"] == "unreachable" and "2001:db8:1::/56" not in routes
    wait_until("s1 uses r2", lambda: net.next_hops("s1", "8060")["::/0"] == "fe80::2")
    ip("hub", "link", "set", "dev", "r1-tunnel", "up")
    wait_until("r1 is back", lambda: set(net.seen_outside("r1")) == set(ASPS))
    wait_until("with all ACPs", lambda: {"2001:db8:1::/56", "2001:db8:2:1::/64"} <= set(net.kernel("r1")))


def test_one_server_is_enough(net):
    """The ASPs stay outside while any Server is there, and leave with the last one."""
    net.stop("s1")
    wait_until("s1's Clients are gone", lambda: "2001:db8:1::/56" not in net.kernel("r1"))
    assert set(net.seen_outside("r1")) == set(ASPS)
    assert net.kernel("r1")["2001:db9:0:7::/64"]["type"] == "unreachable"
    net.stop("s2")
    wait_until("nothing outside", lambda: net.seen_outside() == {})
