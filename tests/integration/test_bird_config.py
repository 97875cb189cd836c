# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' own bird.conf templates, run by real BIRD processes in network namespaces.

A bridge stands in for the tunnel: every node has a veth named aero0 with its fe80::ID.  Two
Relays, two Servers, one peer on the outside, and one Server that announces what it must not.
Needs root and the packages bird2 and iproute2.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.namespaces import Namespaces, run, wait_for
from tests.role_templates import template

# x1.conf: the peer outside.  rogue.conf: a Server gone wrong.
CONFIGS = Path(__file__).parent / "bird"
ASPS = ["198.51.100.0/24", "2001:db8::/32", "2001:db9:0:7::/64"]
PASSWORD = "not in any log"
RELAY_ASN = 64512
OUTSIDE_ASN = 64999
IDS = {"r1": 1, "r2": 2, "s1": 11, "s2": 12, "s3": 13}
WAIT = 30.0


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
    return template(role, "bird.conf.j2").render(
        aero_link=model or link(), inventory_hostname=node, aero_bgp_password=PASSWORD,
        aero_bgp_outside=[{"name": "x1"}, {"name": "x1-6", "password": "outside"}],
    )


class Link(Namespaces):
    """The running namespaces and BIRD processes."""

    def build(self) -> None:
        self.add("hub", *IDS, "x1")
        for bridge in ("tunnel", "outside"):
            self.ip("hub", f"link add {bridge} type bridge", f"link set dev {bridge} up")
        for node, number in IDS.items():
            self.plug(node, "aero0", "tunnel")
            self.ip(node, f"addr add fe80::{number:x}/64 dev aero0 nodad")
        for node, number in (("r1", 1), ("r2", 2), ("x1", 9)):
            self.plug(node, "eth0", "outside")
            self.ip(node, f"addr add 203.0.113.{number}/24 dev eth0", f"addr add fd00:ae::{number}/64 dev eth0 nodad")

    def plug(self, node: str, interface: str, bridge: str) -> None:
        port = f"{node}-{bridge}"
        self.ip(node, f"link add {interface} type veth peer name {port} netns {self.prefix}hub",
                f"link set dev {interface} addrgenmode none", f"link set dev {interface} up")  # fmt: skip
        self.ip("hub", f"link set dev {port} master {bridge} up")

    def start(self, node: str, config: str) -> None:
        path = self.directory / f"{node}.conf"
        path.write_text(config)
        run("bird", "-p", "-c", str(path))
        self.spawn(node, node, "bird", "-f", "-c", str(path), "-s", self.socket(node), "-P", str(self.directory / f"{node}.pid"))

    def stop(self, node: str) -> None:
        self.kill(node, signal.SIGTERM)

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

    def kernel(self, node: str, table: str = "main") -> dict[str, dict]:
        """The routes BIRD wrote into a kernel table, both families, prefix -> the route."""
        routes = {}
        for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
            for route in self.show(node, family, "route", "show", "table", table):
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


SERVERS_OF = {"s1": ["2001:db8:1::/56", "198.51.100.32/28", "2001:db9:0:7::/64"], "s2": ["2001:db8:2:1::/64"]}


@pytest.fixture(scope="module")
def net():
    net = Link()
    try:
        net.build()
        for server, acps in SERVERS_OF.items():
            for acp in acps:
                net.ip(server, f"route add {acp} dev aero0 proto 128")
        net.ip("s1", "route add 2001:db8:77::/48 dev aero0 proto static")
        for relay in ("r1", "r2"):
            net.start(relay, render("relay", relay))
        for server in SERVERS_OF:
            net.start(server, render("server", server))
        net.start("x1", (CONFIGS / "x1.conf").read_text())
        wait_for(lambda: all(
            {"s1", "s2", "outside_x1", "outside_x1-6"} <= net.established(relay) for relay in ("r1", "r2")), WAIT, "r1 and r2 have their sessions")
        yield net
    finally:
        net.destroy()


def test_relay_sends_each_acp_to_its_server(net):
    """An ACP is in the Relay's kernel through fe80::ID on aero0, IPv4 and IPv6 alike."""
    expected = {acp: f"fe80::{IDS[server]:x}" for server, acps in SERVERS_OF.items() for acp in acps}
    wait_for(lambda: all(
        expected.items() <= net.next_hops(relay).items() for relay in ("r1", "r2")), WAIT, "ACPs at the Relays")


def test_relay_calls_the_rest_of_an_asp_unreachable(net):
    """AERO-077: no ACP, no route.  A /64 that is ASP and ACP at once goes to its Server."""
    routes = net.kernel("r1")
    assert routes["2001:db8::/32"]["type"] == "unreachable"
    assert routes["198.51.100.0/24"]["type"] == "unreachable"
    assert "2001:db8:77::/48" not in routes, "a route in the ASP that aerod did not make is not announced"
    assert "::/0" not in routes and "0.0.0.0/0" not in routes, "the Relay's own default is left alone"


def test_relay_takes_routes_from_outside_but_no_default_and_nothing_inside(net):
    wait_for(lambda: {"3fff:1::/48", "198.18.0.0/24"} <= set(net.kernel("r1")), WAIT, "x1's prefixes at r1")
    assert "2001:db8:bad::/48" not in net.kernel("r1")


def test_server_default_is_in_table_8060_only(net):
    """D15: the default toward a Relay never touches the main table, and nothing else is written."""
    wait_for(lambda: all(
        net.next_hops(server, "8060") == {"::/0": "fe80::1", "0.0.0.0/0": "fe80::1"} for server in SERVERS_OF), WAIT, "the Servers' defaults")
    assert [net.kernel(server) for server in SERVERS_OF] == [{}, {}]


def test_outside_sees_the_asps_as_the_relays_own(net):
    """AERO-213: exactly the ASPs, path = the Relays' ASN, none of the Servers' communities."""
    expected = {asp: {str(RELAY_ASN)} for asp in ASPS}
    wait_for(lambda: net.seen_outside("r1") == net.seen_outside("r2") == expected, WAIT, "the ASPs at x1")
    assert "8060" not in net.birdc("x1", "show", "route", "all")


def test_relay_refuses_what_no_server_may_announce(net):
    """AERO-215: outside the ASPs, too long, marked but no ASP, or from another AS behind the Server."""
    net.start("s3", (CONFIGS / "rogue.conf").read_text())
    try:
        good = {"2001:db8:dd::/48", "198.51.100.240/28"}
        wait_for(lambda: good <= set(net.kernel("r1")), WAIT, "the rogue's two good routes")
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
        wait_for(lambda: "in progress" not in net.birdc("r1", "show", "status"), WAIT, "the new configuration")
    assert since() == before


def test_acp_goes_with_its_client(net):
    net.ip("s2", "route del 2001:db8:2:1::/64 dev aero0 proto 128")
    wait_for(lambda: "2001:db8:2:1::/64" not in net.kernel("r1"), WAIT, "withdrawn at r1")
    net.ip("s2", "route add 2001:db8:2:1::/64 dev aero0 proto 128")
    wait_for(lambda: "2001:db8:2:1::/64" in net.kernel("r1"), WAIT, "back at r1")


def test_relay_without_servers_is_not_used_from_outside(net):
    """D19: r1 cut off from all Servers withdraws the ASPs; r2 carries on; both again afterwards."""
    net.ip("hub", "link set dev r1-tunnel down")
    wait_for(lambda: net.seen_outside("r1") == {}, WAIT, "r1 shows nothing outside")
    assert net.seen_outside("r2") == {asp: {str(RELAY_ASN)} for asp in ASPS}
    routes = net.kernel("r1")
    assert routes["2001:db8::/32"]["type"] == "unreachable" and "2001:db8:1::/56" not in routes
    wait_for(lambda: net.next_hops("s1", "8060")["::/0"] == "fe80::2", WAIT, "s1 uses r2")
    net.ip("hub", "link set dev r1-tunnel up")
    wait_for(lambda: set(net.seen_outside("r1")) == set(ASPS), WAIT, "r1 is back")
    wait_for(lambda: {"2001:db8:1::/56", "2001:db8:2:1::/64"} <= set(net.kernel("r1")), WAIT, "with all ACPs")


def test_one_server_is_enough(net):
    """The ASPs stay outside while any Server is there, and leave with the last one."""
    wait_for(lambda: all(asp in net.birdc("r1", "show", "route", "protocol", "s2") for asp in ASPS), WAIT, "r1 has s2's ASPs")
    net.stop("s1")
    wait_for(lambda: "2001:db8:1::/56" not in net.kernel("r1"), WAIT, "s1's Clients are gone")
    assert set(net.seen_outside("r1")) == set(ASPS)
    assert net.kernel("r1")["2001:db9:0:7::/64"]["type"] == "unreachable"
    net.stop("s2")
    wait_for(lambda: net.seen_outside() == {}, WAIT, "nothing outside")
