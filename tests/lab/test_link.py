# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees of the working link, from outside the daemons."""

from __future__ import annotations

import json

from tests.lab.door import aeroctl, on_node, run_playbook, wait_for

C1_PREFIXES = {"2001:db8:1000:2000::/56", "198.51.100.32/28"}


def test_a_client_gets_the_same_prefixes_from_every_server():
    leases = aeroctl("c1", "leases")
    assert {lease["server"] for lease in leases} == {"fe80::b", "fe80::c"}
    for lease in leases:
        assert {prefix["prefix"] for prefix in lease["prefixes"]} == C1_PREFIXES, lease


def test_a_client_behind_a_nat_learns_how_servers_see_it():
    for lease in aeroctl("c1", "leases"):
        assert lease["behind_nat"] is True
        assert lease["seen_as"]["address"] == "203.0.113.10"


def test_a_client_on_open_links_is_not_behind_a_nat():
    assert [lease["behind_nat"] for lease in aeroctl("c2", "leases")] == [False, False]


def test_packets_cross_between_end_networks():
    for family, address in (("-4", "198.51.100.49"), ("-6", "2001:db8:1:2::1")):
        on_node("h1", f"ping {family} -c3 -i0.2 -W2 {address}")


def test_capability_names_resolve_from_any_node():
    name = "0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net"
    assert on_node("ns1", f"dig +short PTR {name} @203.0.113.53").strip() == "example.net."


def test_the_outside_sees_the_service_prefixes_and_nothing_inside():
    def asps(family: str) -> set[str]:
        routes = json.loads(on_node("x1", f"ip -j {family} route show"))
        return {route["dst"] for route in routes if route["dst"].startswith(("2001:db8", "198.51.100."))}

    assert asps("-6") == {"2001:db8::/32"}
    assert asps("-4") == {"198.51.100.0/24"}


def test_the_outside_keeps_reaching_clients_when_a_relay_loses_all_its_servers():
    def routes() -> str:
        return on_node("x1", "ip -4 route show 198.51.100.0/24; ip -6 route show 2001:db8::/32")

    of_r1 = ("198.18.0.1 ", "3fff:1:0:f::1 ", "fe80::ae:ff:fe08:1 ")
    try:
        on_node("r1", "birdc disable s1 && birdc disable s2")
        wait_for(lambda: not any(hop in routes() for hop in of_r1), "x1 no longer uses r1")
        on_node("x1", "ping -6 -c3 -i0.2 -W1 2001:db8:1:2::1 && ping -4 -c3 -i0.2 -W1 198.51.100.49")
    finally:
        on_node("r1", "birdc enable s1 && birdc enable s2")
    wait_for(lambda: any(hop in routes() for hop in of_r1), "r1 announces the ASPs again")


def test_a_lost_lease_leaves_the_end_network_at_once():
    """Preferred lifetime 0, no DHCP, no route; and all of it comes back with the lease."""

    def h2_preferred() -> list[bool]:
        addresses = json.loads(on_node("h2", "ip -j -6 addr show dev eth0 scope global"))[0]["addr_info"]
        return [
            not address.get("deprecated", False)
            for address in addresses
            if address.get("local", "").startswith("2001:db8:1:2:")
        ]

    wait_for(lambda: any(h2_preferred()), "h2 has an address of c2's prefix")
    on_node("c2", "aeroctl release")
    try:
        wait_for(lambda: not any(h2_preferred()), "h2's address is deprecated", 10)
        assert "unreachable" not in on_node(
            "c2", "ip -6 route show 2001:db8:1:2::/64 type unreachable", check=False
        )
        wait_for(
            lambda: not on_node("r1", "ip -6 route show 2001:db8:1:2::/64").strip(),
            "the Relay has no route",
            15,
        )
        wait_for(lambda: "dnsmasq" not in on_node("c2", "ps -eo args"), "DHCP stopped", 10)
    finally:
        on_node("c2", "systemctl restart aerod")
    wait_for(lambda: any(h2_preferred()), "h2's address is preferred again")
    run_playbook("verify")
