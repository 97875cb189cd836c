# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's address plan, and what the topology scripts make of it."""

from __future__ import annotations

import sys
from ipaddress import IPv6Interface, ip_interface
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "roles/lab/files/topology"))

import node_files  # noqa: E402
import plan  # noqa: E402
import routers  # noqa: E402


def inventory() -> dict:
    """Return the address plan of inventories/lab."""
    return yaml.safe_load((ROOT / "inventories/lab/group_vars/all/address_plan.yml").read_text())


def parse(**changed: object) -> plan.Plan:
    """Return the plan of the inventory, with ``changed`` in it."""
    described = {key.removeprefix("lab_"): value for key, value in inventory().items()}
    others = dict.fromkeys(("domain", "image", "repository", "authorized_keys"), "x")
    return plan.parse({**described, **others, **changed})


def eui64(mac: str, prefix: str) -> IPv6Interface:
    """Return the SLAAC address of a MAC address (RFC 4291, Appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    network = IPv6Interface(prefix).network
    return IPv6Interface((int(network.network_address) | int.from_bytes(identifier), network.prefixlen))


def test_no_address_and_no_mac_is_given_twice() -> None:
    """Addresses are unique over all links, MAC addresses too."""
    links = [*parse().links, *parse().nodes["x1"]]
    addresses = [
        str(ip_interface(address).ip)
        for link in {link.port: link for link in links}.values()
        for address in link.addresses
    ]
    macs = [link.mac for link in parse().links]
    assert len(set(addresses)) == len(addresses)
    assert len(set(macs)) == len(macs)


def test_a_slaac_address_that_the_plan_names_follows_from_the_mac() -> None:
    """s2's address is what the kernel makes of its MAC address and the core's prefix."""
    for links in inventory()["lab_nodes"].values():
        for link in links.values():
            for address in link.get("slaac", []):
                assert eui64(link["mac"], address) == IPv6Interface(address)


def test_hosts_with_static_addresses_get_default_routes_of_their_families_only() -> None:
    """s2 has a static IPv4 default route; that of IPv6 comes with router advertisements."""
    files = node_files._files(parse(), "s2")
    assert "route replace 0.0.0.0/0 via 203.0.113.62 dev eth0" in files["network"]
    assert "::/0" not in files["network"]
    assert "net.ipv6.conf.eth0.accept_ra = 1" in files["sysctl"]
    assert "net.ipv6.conf.eth0.accept_ra = 0" in node_files._files(parse(), "s1")["sysctl"]


def test_a_gateway_is_no_gateway_of_itself() -> None:
    """The router of the core has no default route to its own address."""
    assert "0.0.0.0/0" not in routers._ip_batch(parse().routers["router"])
    assert "0.0.0.0/0 via 203.0.113.62" in routers._ip_batch(parse().routers["nat"])


def test_dhcp_clients_are_configured_by_their_metric() -> None:
    """c2 prefers its first access link."""
    files = node_files._files(parse(), "c2")
    assert (files["dhcp-eth0"], files["dhcp-eth1"]) == ("METRIC=100\n", "METRIC=200\n")


def test_an_unknown_network_is_refused() -> None:
    """The message names node, link and network."""
    with pytest.raises(SystemExit, match="r9 eth0: no network 'moon'"):
        parse(nodes={"r9": {"eth0": {"network": "moon"}}})


def test_a_name_that_makes_no_interface_name_is_refused() -> None:
    """The kernel takes at most 15 characters."""
    with pytest.raises(SystemExit, match="has more than 15 characters"):
        parse(nodes={"a-long-node-name": {"eth0": {"network": "core"}}})
