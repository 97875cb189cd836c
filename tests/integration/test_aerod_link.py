# SPDX-License-Identifier: GPL-3.0-or-later
"""Real aerods and a real Kea carry real packets; root only, in network namespaces."""

from __future__ import annotations

import json

import pytest

from tests.integration.aerod_link import (
    ACP4,
    ACP6,
    OUTSIDE4,
    OUTSIDE6,
    OWN4,
    OWN6,
    missing,
    running_link,
    wait_for,
)

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def link():
    with running_link() as made:
        yield made


def test_client_gets_both_prefixes(link):
    """The lease has one prefix for each IA_PD, and the address the Server saw."""
    (lease,) = link.ask("c", "leases")
    assert {p["prefix"] for p in lease["prefixes"]} == {ACP6, ACP4}
    assert lease["seen_as"] == {"address": "203.0.113.101", "port": 8060}
    (client,) = link.ask("s", "leases")
    assert set(client["prefixes"]) == {ACP6, ACP4}


@pytest.mark.parametrize("size", [64, 1280, 1500])
@pytest.mark.parametrize("node,address", [("c", OUTSIDE4), ("c", OUTSIDE6), ("r", OWN4), ("r", OWN6)])
def test_packets_cross_whole(link, node, address, size):
    """Packets up to 1500 bytes cross an underlay of 1500 bytes, both ways and in both families."""
    assert wait_for(lambda: link.pings(node, address, size), 5)


@pytest.mark.parametrize("node,address", [("c", OUTSIDE4), ("c", OUTSIDE6), ("r", OWN4), ("r", OWN6)])
def test_too_large_a_packet_is_answered(link, node, address):
    """A packet that cannot cross brings an ICMP error to its sender, not silence."""
    payload = 1600 - (48 if ":" in address else 28)
    # The kernel remembers the answer of an earlier run: either text tells that it came.
    output = link.run(node, "ping", "-n", "-c1", "-W2", "-M", "do", "-s", str(payload), address, check=False)
    assert "mtu = 1500" in output or "mtu=1500" in output or "mtu: 1500" in output


@pytest.mark.parametrize("address", ["198.51.100.40", "2001:db8:1:2::77"])
def test_unused_address_is_unreachable(link, address):
    """What nobody uses inside an ACP is answered at once and does not loop (RFC 7084 WPD-5)."""
    assert "nreachable" in link.run("r", "ping", "-n", "-c1", "-W2", address, check=False)


def test_default_route_stays_out_of_main(link):
    """The default toward the link is in table 8060 only, with an ACP address as source (D15)."""
    for version, source in (("-4", OWN4), ("-6", OWN6)):
        assert not link.show("c", version, "route", "show", "default", "dev", "aero0")
        (default,) = link.show("c", version, "route", "show", "table", "8060")
        assert (default["dev"], default["prefsrc"]) == ("aero0", source)


@pytest.mark.parametrize("source,via", [("203.0.113.101", "eth0"), (OWN4, "aero0")])
def test_underlay_sources_stay_on_the_underlay(link, source, via):
    """With a default route on the underlay, an operator's replies go out there, the ACP's do not."""
    link.run("c", "ip", "route", "replace", "default", "via", "203.0.113.1")
    (route,) = link.show("c", "route", "get", "192.0.2.1", "from", source)
    link.run("c", "ip", "route", "del", "default")
    assert route["dev"] == via


def test_prepare_again_changes_nothing(link):
    """``--prepare`` leaves a live interface and everybody's routes as they are."""

    def everything():
        shown = (link.run("c", "ip", *what) for what in (["addr"], ["-6", "route"], ["route"], ["rule"]))
        return list(shown)

    before = everything()
    link.prepare("c")
    assert everything() == before
    assert link.pings("c", OUTSIDE6)


def test_forwarding_keeps_router_advertisements(link):
    """A Relay forwards and still takes RAs on the underlay (D16); who has nothing to forward does not."""
    settings = ("ipv6/conf/eth0/accept_ra", "ipv6/conf/all/forwarding", "ipv4/ip_forward")
    values = {
        node: link.run(node, "cat", *(f"/proc/sys/net/{name}" for name in settings)).split() for node in "rsc"
    }
    assert values == {"r": ["2", "1", "1"], "s": ["1", "0", "0"], "c": ["1", "0", "0"]}


def test_interface_that_is_missing(link):
    """aerod does not make up an interface that nobody prepared."""
    config = str(link.directory / "c" / "aerod.toml")
    directories = ("--state-dir", str(link.directory / "h"), "--run-dir", str(link.directory / "h"))
    with pytest.raises(AssertionError, match="there is no interface aero0: run aerod --prepare"):
        link.run("h", *link.command, "--config", config, *directories)


def test_large_relay_replies_reach_aerod_whole(link):
    """What Kea sends to aerod is not cut at the link's 1280 bytes; everything else is."""
    for destination, mtu in (("fe80::ffff:ffff:ffff:ffff", 65479), ("fe80::1", 1280)):
        (route,) = link.show("s", "-6", "route", "get", destination, "oif", "aero0")
        assert route["metrics"][0]["mtu"] == mtu


def test_relay_follows_the_routing_daemon(link):
    """An ACP is reached through a Server exactly while the kernel has its route."""
    assert link.ask("r", "lookup", address="2001:db8:1:2::9")["neighbor"]["link_local"] == "fe80::b"
    link.run("r", "ip", "-6", "route", "del", ACP6)
    wait_for(lambda: link.ask("r", "lookup", address="2001:db8:1:2::9")["target"] == "unreachable")
    link.run("r", "ip", "-6", "route", "add", ACP6, "via", "fe80::b", "dev", "aero0", "proto", "bird")
    wait_for(lambda: link.ask("r", "lookup", address="2001:db8:1:2::9")["target"] == "neighbor")


def test_what_others_remove_comes_back(link):
    """Routes and rules of aerod that somebody flushes are put back."""
    link.run("s", "ip", "-6", "route", "del", ACP6, "dev", "aero0")
    link.run("c", "ip", "rule", "del", "priority", "8062")
    link.run("c", "ip", "-6", "route", "flush", "table", "8060")
    wait_for(lambda: link.show("s", "-6", "route", "show", ACP6))
    wait_for(lambda: "8062" in link.run("c", "ip", "rule"))
    assert wait_for(lambda: link.pings("c", OUTSIDE6), 5)


def test_killed_client_keeps_its_lease(link):
    """After kill -9 and restart the same lease is used again, without asking the Server."""
    asked = link.log("kea").count("DHCP6_PD_LEASE_ALLOC")
    link.kill("c")
    assert link.show("c", "-6", "route", "show", "table", "8060"), "routes must outlive the process"
    link.start("c")
    wait_for(link.has_lease, 10)
    assert wait_for(lambda: link.pings("c", OUTSIDE6), 5)
    assert wait_for(lambda: link.pings("r", OWN4), 5)
    assert link.log("kea").count("DHCP6_PD_LEASE_ALLOC") == asked


def saved_associations(link) -> list:
    """What the Client would start from."""
    return json.loads((link.directory / "c" / "state.json").read_text())["state"]["associations"]


def test_a_lease_is_saved_before_it_is_used(link):
    """A Client that is killed as soon as it has its lease has it after the restart, too."""
    link.kill("c")
    (link.directory / "c" / "state.json").unlink()
    link.start("c")
    wait_for(link.has_lease)
    assert saved_associations(link)
    test_killed_client_keeps_its_lease(link)


def test_a_release_is_saved_before_it_is_sent(link):
    """A Client that is killed as soon as it has released does not use what it no longer has."""
    asked = link.log("kea").count("DHCP6_PD_LEASE_ALLOC")
    link.ask("c", "release")
    link.kill("c")
    assert not saved_associations(link)
    link.start("c")
    wait_for(link.has_lease)
    assert link.log("kea").count("DHCP6_PD_LEASE_ALLOC") == asked + 2


def test_killed_server_keeps_its_neighbor(link):
    """After kill -9 and restart the Client's entry and routes are there, leftovers are not."""
    link.kill("s")
    leftover = ("2001:db8:dead::/64", "dev", "aero0", "metric", "1024", "proto", "128")
    link.run("s", "ip", "-6", "route", "add", *leftover)
    link.start("s")
    wait_for(lambda: link.ask("s", "neighbors", kind="static"), 10)
    assert wait_for(lambda: link.pings("c", OUTSIDE6), 5)
    assert wait_for(lambda: link.pings("r", OWN4), 5)
    assert link.show("s", "-6", "route", "show", ACP6)
    assert not link.show("s", "-6", "route", "show", "2001:db8:dead::/64")


def test_killed_relay_learns_its_routes_again(link):
    """A new Relay process reads the kernel's routes."""
    link.kill("r")
    link.start("r")
    wait_for(lambda: link.ask("r", "status"), 10)
    assert wait_for(lambda: link.pings("c", OUTSIDE4), 5)
    assert wait_for(lambda: link.pings("r", OWN6), 5)


def test_client_moves_to_another_address(link):
    """The Client's address changes under it: the Server learns the new one, the prefix stays."""
    link.run("c", "ip", "addr", "del", "203.0.113.101/24", "dev", "eth0")
    link.run("c", "ip", "addr", "add", "203.0.113.102/24", "dev", "eth0")
    wait_for(lambda: "203.0.113.102" in str(link.ask("s", "neighbors", kind="static")))
    assert wait_for(lambda: link.pings("r", OWN6), 5)
    assert "from 203.0.113.102" in link.run("c", "ip", "rule")
    assert "from 203.0.113.101" not in link.run("c", "ip", "rule")


def test_daemons_stay_small(link):
    """Below 48 MB at rest, and no work left undone."""
    for node in ("r", "s", "c"):
        assert link.resident(node) < 48 << 20
        assert not link.ask(node, "counters").keys() & {"internal_error", "kernel_refused"}


def test_servers_are_found_by_name(link):
    """The DNS is asked from the underlay, also while everything else goes into the tunnel (D15)."""
    link.start_name_server("203.0.113.1", "203.0.113.11")
    link.kill("c")
    (link.directory / "c" / "state.json").unlink()
    link.write_config("c", server_addresses="")
    link.start("c")
    wait_for(link.has_lease)
    assert "203.0.113.102" in link.log("dns")
    assert wait_for(lambda: link.pings("c", OUTSIDE6), 5)


def test_released_prefixes_leave_nothing_behind(link):
    """After a Release no address, route or source of the ACP is left on the Client."""
    link.ask("c", "release")
    wait_for(lambda: not link.show("c", "-6", "route", "show", "table", "8060"))
    text = link.run("c", "ip", "addr") + link.run("c", "ip", "route") + link.run("c", "ip", "-6", "route")
    assert OWN4 not in text and "2001:db8" not in text
    wait_for(lambda: not link.show("s", "-6", "route", "show", ACP6))


def test_withdraw_takes_everything_back(link):
    """A node that leaves the link has no rule, route or address of aerod any more."""
    link.kill("c", 15)
    link.start("c")
    wait_for(link.has_lease)
    link.kill("c", 15)

    def ours():
        rules = [rule for family in families for rule in link.show("c", family, "rule")]
        routes = [route for family in families for route in link.show("c", family, "route", "show", "table", "all")]
        addresses = [address for each in link.show("c", "addr") for address in each["addr_info"]]
        held = [address["local"] for address in addresses] + [route["dst"] for route in routes]
        return (
            [rule for rule in rules if 8060 <= rule["priority"] <= 8063]
            + [route for route in routes if route.get("table") == "8060"]
            + [text for text in held if "2001:db8:1:2" in text or text.startswith("198.51.100.")]
        )

    families = ("-4", "-6")
    assert ours()
    link.run("c", *link.command, "--config", str(link.directory / "c" / "aerod.toml"), "--withdraw")
    assert not ours()
