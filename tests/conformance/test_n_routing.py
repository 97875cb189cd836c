# SPDX-License-Identifier: GPL-3.0-or-later
"""N: BGP between Servers and Relays, by real BIRDs with the roles' own configuration over the tunnels of real aerods.

    x (another AS) - r1, r2 - s1 - c1
                            - s2, whose BIRD announces what it must not
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from scapy.layers.inet import TCP

from tests.conformance import dhcpv6
from tests.conformance.bench import Bench
from tests.conformance.fakes import FakeClient, FakeDhcp
from tests.conformance.plan import ASPS, NODES
from tests.integration.test_bird_config import CONFIGS, OUTSIDE_ASN, RELAY_ASN, render

C1_ACPS = {"2001:db8:1000:2000::/56", "192.0.2.32/28"}
ROGUE_GOOD = {"2001:db8:dd::/48", "192.0.2.240/28"}
GRACE = 0.2  # seconds that a Server still serves a Client that has released
BIRDS = ("r1", "r2", "s1", "s2", "x")


def model() -> dict:
    """What the roles' templates read of aero_link."""

    def node(name: str) -> dict:
        number = NODES[name].id
        outside = [
            {"name": "x1", "address": NODES["x"].v4, "asn": OUTSIDE_ASN, "has_password": False},
            {"name": "x1-6", "address": NODES["x"].v6, "asn": OUTSIDE_ASN, "has_password": True},
        ]
        return {
            "name": name, "id": number, "link_local": NODES[name].link_local, "router_id": f"0.0.0.{number}",
            "asn": RELAY_ASN if name[0] == "r" else 4200000000 + number, "bgp_outside": outside if name[0] == "r" else [],
        }  # fmt: skip

    relays, servers = [node("r1"), node("r2")], [node("s1"), node("s2")]
    return {"asps": ASPS, "port": 8060, "bgp_relay_asn": RELAY_ASN, "bgp_import_limit": 100, "relays": relays,
            "servers": servers, "hosts": {entry["name"]: entry for entry in relays + servers}}  # fmt: skip


def bird_config(node: str) -> str:
    if node == "x":
        return (CONFIGS / "x1.conf").read_text().replace("203.0.113.", "198.51.100.").replace("fd00:ae::", "fd00:a::")
    if node == "s2":  # the rogue
        text = (CONFIGS / "rogue.conf").read_text().replace("fe80::d ", f"{NODES['s2'].link_local} ")
        return text.replace("4200000013", "4200000012").replace("198.51.100.240", "192.0.2.240").replace("198.51.0.0", "192.0.0.0")
    return render("relay" if node[0] == "r" else "server", node, model())


class Routing:
    """The bench with a BIRD on each of its nodes but c1."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.bgp = False  # no stand-in
        bench.configure("s1", server={"release_grace": GRACE})
        infrastructure = [name for name in BIRDS if name != "x"]
        bench.start(*infrastructure)
        self.client = FakeClient(bench, "c1")
        bench.dhcp = {"s1": bench.closing(FakeDhcp(bench, "s1"))}
        for server in ("s1", "s2"):
            for version in ("-4", "-6"):
                bench.run(server, "ip", version, "route", "flush", "table", "8060", check=False)
        for node in BIRDS:
            path = bench.directory / f"{node}.conf"
            path.write_text(bird_config(node))
            bench.spawn(f"bird-{node}", node, "bird", "-f", "-c", str(path), "-s", self._control(node),
                        "-P", str(bench.directory / f"{node}.pid"))  # fmt: skip
        self.client.attach()
        wanted = {"s1", "s2", "outside_x1", "outside_x1-6"}
        for relay in ("r1", "r2"):
            bench.wait_for(lambda relay=relay: wanted <= self.sessions(relay, "Established"), 20, f"the sessions of {relay}")

    def _control(self, node: str) -> str:
        return str(self.bench.directory / f"{node}.ctl")

    def birdc(self, node: str, *command: str) -> str:
        return self.bench.run(node, "birdc", "-s", self._control(node), *command, check=False)

    def sessions(self, node: str, state: str = "") -> set[str]:
        """The BGP sessions that are configured, or those in a state."""
        rows = (line.split() for line in self.birdc(node, "show", "protocols").splitlines())
        return {row[0] for row in rows if len(row) > 1 and row[1] == "BGP" and state in row[-1]}

    def kernel(self, node: str, table: str = "main") -> dict[str, dict]:
        """The routes that BIRD wrote."""
        every = [(default, route) for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0"))
                 for route in self.bench.show(node, family, "route", "show", "table", table)]  # fmt: skip
        return {default if r["dst"] == "default" else r["dst"]: r for default, r in every if r.get("protocol") == "bird"}

    def via(self, node: str, prefix: str) -> str | None:
        """The gateway of a route that BIRD wrote."""
        route = self.kernel(node).get(prefix, {})
        return route.get("gateway") or route.get("via", {}).get("host")

    def seen_outside(self) -> dict[str, set[str]]:
        """What x has of the Relays: prefix and AS paths."""
        seen: dict[str, set[str]] = {}
        for protocol in ("r1_4", "r1_6", "r2_4", "r2_6"):
            prefix = ""
            for line in self.birdc("x", "show", "route", "all", "protocol", protocol).splitlines():
                if found := re.match(r"(\S+/\d+)\s", line):
                    prefix = found[1]
                elif found := re.match(r"\s+BGP\.as_path:\s*(.*)", line):
                    seen.setdefault(prefix, set()).add(found[1].strip())
        return seen


@pytest.fixture(scope="module")
def routing() -> Iterator[Routing]:
    bench = Bench(nodes=("r1", "r2", "s1", "s2", "c1", "x"))
    try:
        yield Routing(bench.build())
    finally:
        bench.destroy()


def announced(routing: Routing, acps: set[str]) -> Callable[[], bool]:
    return lambda: all(routing.via(relay, acp) == NODES["s1"].link_local for relay in ("r1", "r2") for acp in acps)


def test_aero_212_sessions_are_between_servers_and_relays(routing):
    """A Server has one to each Relay, from an AS of its own, and none to anybody else."""
    assert routing.sessions("s1") == {"r1", "r2"}
    routing.bench.wait_for(lambda: routing.sessions("s1", "Established") == {"r1", "r2"})
    assert "4200000011" in routing.birdc("r1", "show", "protocols", "all", "s1")
    u = routing.bench.capture()

    def ends(frame) -> frozenset[str] | None:
        return frozenset({frame.inner.src, frame.inner.dst}) if frame.inner and frame.inner.haslayer(TCP) else None

    expected = {frozenset({NODES[server].link_local, NODES[relay].link_local}) for server in ("s1", "s2") for relay in ("r1", "r2")}
    routing.bench.wait_for(lambda: {ends(f) for f in u.find(ends)} >= expected, 8, "keepalives in all tunnels")
    assert {ends(frame) for frame in u.find(ends)} == expected


def test_aero_212_acps_come_and_go_with_the_delegation(routing):
    """The ACPs of a Client are at each Relay once they are delegated, and gone when it has released them."""
    bench = routing.bench
    bench.wait_for(announced(routing, C1_ACPS), 10, "the ACPs")
    routing.client.clear()
    routing.client.exchange(dhcpv6.RELEASE)
    bench.wait_for(lambda: not any(C1_ACPS & set(routing.kernel(relay)) for relay in ("r1", "r2")), 5, "the withdrawal")
    routing.client.clear()
    routing.client.attach()
    bench.wait_for(announced(routing, C1_ACPS), 10, "the ACPs again")


def test_aero_213_relays_have_sessions_with_servers_only(routing):
    """Each Relay with every Server and with the outside, none with the other Relay."""
    for relay in ("r1", "r2"):
        wanted = {"s1", "s2", "outside_x1", "outside_x1-6"}
        assert routing.sessions(relay) == wanted
        routing.bench.wait_for(lambda relay=relay, wanted=wanted: routing.sessions(relay, "Established") == wanted)


def test_aero_213_outside_sees_the_asps_only(routing):
    """The Relays show the ASPs as their own."""
    routing.bench.wait_for(lambda: set(routing.seen_outside()) >= set(ASPS), 8, "the ASPs at x")
    assert routing.seen_outside() == {asp: {str(RELAY_ASN)} for asp in ASPS}


def test_aero_215_relays_refuse_what_no_server_may_announce(routing):
    """Outside the ASPs, too long, marked as an ASP, from an AS behind it: all refused, and the good beside it taken."""
    bench = routing.bench
    bench.wait_for(lambda: set(routing.kernel("r1")) >= ROGUE_GOOD, 8, "the rogue's good routes")
    assert "2001:db8:1:2:3::/80" in routing.birdc("s2", "show", "route"), "the rogue does announce it"
    taken = set(routing.kernel("r1")) - {*ASPS, *C1_ACPS, "3fff:1::/48", "198.18.0.0/24"}
    assert taken == ROGUE_GOOD
    assert set(routing.seen_outside()) == set(ASPS)


def test_aero_214_prefix_of_a_flapping_client_is_not_announced(routing):
    """When it has come and gone three times within a minute its prefix waits, and the operator sees that; the Client is served."""
    bench = routing.bench
    bench.wait_for(announced(routing, C1_ACPS), 10, "the ACPs")
    for _turn in range(4):
        routing.client.clear()
        routing.client.exchange(dhcpv6.RELEASE)
        bench.wait_for(lambda: not bench.neighbors("s1", "static"), 10, "the end of the Client")
        routing.client.clear()
        routing.client.attach()
    held = bench.wait_for(lambda: bench.ask("s1", "damping"), 3, "the prefixes held down")
    assert {row["prefix"] for row in held} == C1_ACPS
    assert bench.neighbors("s1", "static")
    bench.wait_for(lambda: not C1_ACPS & set(routing.kernel("r1")), 3, "the withdrawal")
