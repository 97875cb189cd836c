# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end user network is told: the plan, radvd's file, dnsmasq's file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aerod.address import Prefix, address_text
from aerod.eun import dnsmasq, radvd
from aerod.eun.lease_watch import leased_subnets
from aerod.eun.plan import LeasedSubnet, Plan
from aerod.shell.host_address import first_subnet, host_address

V6 = LeasedSubnet(Prefix.parse("2001:db8:1:2::/64"), 4600.0, 8200.0)
V4 = LeasedSubnet(Prefix.parse("198.51.100.32/28"), 4600.0, 8200.0)
NOW = 1000.0


def planned(*subnets: LeasedSubnet) -> Plan:
    plan = Plan()
    plan.lease(subnets, NOW)
    return plan


@pytest.mark.parametrize(
    "acp,subnet,host",
    [
        ("2001:db8:1000:2000::/56", "2001:db8:1000:2000::/64", "2001:db8:1000:2000::1"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1:2::1"),
        ("198.51.100.32/28", "198.51.100.32/28", "198.51.100.33"),
        ("198.51.100.32/31", "198.51.100.32/31", "198.51.100.32"),
        ("198.51.100.32/32", "198.51.100.32/32", "198.51.100.32"),
    ],
)
def test_first_subnet_and_host(acp, subnet, host):
    """D18: the first /64, and the first host address."""
    assert str(first_subnet(Prefix.parse(acp))) == subnet
    assert address_text(host_address(Prefix.parse(acp))) == host


def test_event():
    """The line of aerod's watch stream."""
    prefix = {"prefix": "2001:db8::/56", "preferred_until": 5, "valid_until": 9.5}
    line = json.dumps({"event": "leases", "prefixes": [prefix]}).encode()
    assert leased_subnets(line) == (LeasedSubnet(Prefix.parse("2001:db8::/64"), 5, 9.5),)


def test_lost_prefix_is_deprecated_for_its_lifetime():
    """RFC 7084 L-13: at most two hours, at most the rest of the valid lifetime."""
    plan = planned(V6, V4)
    plan.lease((), NOW + 100)
    assert plan.current == () and plan.deprecated == {V6.subnet: 8200.0}
    long = LeasedSubnet(V6.subnet, 90000.0, 99000.0)
    plan = planned(long)
    plan.lease((V4,), NOW)
    assert plan.deprecated == {V6.subnet: NOW + 7200}


def test_prefix_that_comes_back_is_current():
    """A new lease of the same prefix ends its deprecation."""
    plan = planned(V6)
    plan.lease((), NOW)
    plan.lease((V6,), NOW + 1)
    assert plan.deprecated == {} and plan.current == (V6,)


def test_expired_lease_is_lost_without_aerod():
    """While aerod is silent the lifetimes still count."""
    plan = planned(V6)
    assert plan.next_change(NOW) == V6.preferred_until
    assert plan.next_change(V6.preferred_until) == V6.valid_until
    plan.expire(8200.0)
    assert plan.current == ()


def test_deprecation_ends():
    """And until then hosts are told of it again and again."""
    plan = planned(V6)
    plan.lease((), NOW)
    assert plan.next_change(NOW) == NOW + 600
    plan.expire(8200.0)
    assert plan.deprecated == {} and plan.next_change(8200.0) is None


def test_radvd_of_a_lease():
    """Lifetimes are what is left of the lease, and count down."""
    assert radvd.render("eth1", 1400, planned(V6, V4), NOW) == (
        "interface eth1 {\n"
        "    AdvSendAdvert on;\n"
        "    MaxRtrAdvInterval 600;\n"
        "    AdvDefaultLifetime 1800;\n"
        "    AdvLinkMTU 1400;\n"
        "    prefix 2001:db8:1:2::/64 {\n"
        "        AdvPreferredLifetime 3600;\n"
        "        AdvValidLifetime 7200;\n"
        "        DecrementLifetimes on;\n"
        "    };\n"
        "};\n"
    )


def test_radvd_of_a_short_lease():
    """The Client is no router for longer than the lease lasts (section 3.15.2)."""
    text = radvd.render("eth1", 1500, planned(V6), NOW + 6300)
    assert "    MaxRtrAdvInterval 300;\n    AdvDefaultLifetime 900;\n" in text


def test_radvd_of_a_loss():
    """Preferred lifetime 0, no default router; radvd must not count down, or it leaves the prefix out."""
    plan = planned(V6)
    plan.lease((), NOW + 200)
    text = radvd.render("eth1", 1500, plan, NOW + 200)
    assert "AdvDefaultLifetime 0;" in text
    assert "AdvPreferredLifetime 0;\n        AdvValidLifetime 7000;\n        DecrementLifetimes off;" in text


def test_radvd_is_for_ipv6():
    """An IPv4 prefix needs no radvd, a deprecated IPv6 one does."""
    assert not radvd.is_needed(planned(V4))
    plan = planned(V6)
    plan.lease((), NOW)
    assert radvd.is_needed(plan)


def test_dnsmasq():
    """DHCPv4 for all but the Client's own address, and no DNS."""
    text = dnsmasq.render("eth1", 1400, dnsmasq.ranges(planned(V6, V4)), Path("/run/aero-eun"))
    assert "port=0\ninterface=eth1\n" in text
    assert "dhcp-range=198.51.100.34,198.51.100.46,255.255.255.240,600\n" in text
    assert "dhcp-option=option:mtu,1400\n" in text


@pytest.mark.parametrize("length,served", [(30, 1), (31, 0), (32, 0)])
def test_dnsmasq_needs_room(length, served):
    """Where only the Client fits there is nothing to hand out."""
    subnet = Prefix.parse(f"198.51.100.32/{length}")
    assert len(dnsmasq.ranges(planned(LeasedSubnet(subnet, 4600.0, 8200.0)))) == served
