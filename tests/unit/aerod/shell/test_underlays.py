# SPDX-License-Identifier: GPL-3.0-or-later
"""Which underlays are usable, for what the kernel has and the configuration wants."""

from __future__ import annotations

import pytest

from aerod.address import LinkLayerAddress, Prefix, address_text, parse_address
from aerod.config import UnderlayConfig
from aerod.shell.rtnl_messages import IFA_F_DEPRECATED, IFA_F_TEMPORARY, IFA_F_TENTATIVE, Address, Link
from aerod.shell.underlays import usable_underlays


class FakeKernel:
    def __init__(self, *addresses: Address, up: bool = True) -> None:
        self._link = Link(2, "eth0", up, 1400)
        self._addresses = list(addresses)

    def link(self, name: str) -> Link | None:
        return self._link if name == "eth0" else None

    def addresses_of(self, name: str) -> list[Address]:
        return self._addresses


def at(text: str, flags: int = 0) -> Address:
    return Address(2, parse_address(text), 64, flags)


def configured(*addresses: str, interface: str = "eth0") -> tuple[UnderlayConfig, ...]:
    return (UnderlayConfig(interface, 5, 200, tuple(LinkLayerAddress.parse(a) for a in addresses)),)


def usable(config, *addresses, up=True, leased=()):
    found = usable_underlays(config, FakeKernel(*addresses, up=up), leased)
    return [address_text(ip) for underlay in found for ip in underlay.addresses]


def test_what_the_node_is_told():
    """Everything of an underlay arrives."""
    (underlay,) = usable_underlays(configured(), FakeKernel(at("203.0.113.5")), ())
    assert (underlay.interface, underlay.link_id, underlay.preference, underlay.mtu) == ("eth0", 5, 200, 1400)


def test_configured_addresses_in_their_order():
    """Only what is configured and there, best first as configured."""
    present = (at("203.0.113.9"), at("203.0.113.11"), at("fd00::b"))
    wanted = configured("fd00::b", "203.0.113.11", "203.0.113.77")
    assert usable(wanted, *present) == ["fd00::b", "203.0.113.11"]


@pytest.mark.parametrize("flags", [IFA_F_TENTATIVE])
def test_unfinished_address_is_not_used(flags):
    """Duplicate address detection comes first."""
    assert usable(configured("fd00::b"), at("fd00::b", flags)) == []


def test_clients_take_all_global_addresses():
    """No link-local or loopback address, none of an own ACP; first what is to last, privacy ones behind."""
    present = (
        at("fe80::1"),
        at("fd00::1", IFA_F_TEMPORARY),
        at("fd00::2"),
        at("fd00::3", IFA_F_DEPRECATED),
        at("203.0.113.5"),
        at("203.0.113.6", IFA_F_TEMPORARY),  # the same bit says secondary for IPv4
        at("169.254.1.1"),
        at("198.51.100.33"),
    )
    leased = (Prefix.parse("198.51.100.32/28"),)
    found = usable(configured(), *present, leased=leased)
    assert found == ["203.0.113.5", "203.0.113.6", "fd00::2", "fd00::1", "fd00::3"]


class TwoInterfaces(FakeKernel):
    """eth0 and eth1, each with one address."""

    def link(self, name: str) -> Link | None:
        return Link(2, name, True, 1400)

    def addresses_of(self, name: str) -> list[Address]:
        return [self._addresses[name == "eth1"]]


def test_an_underlay_whose_address_is_deprecated_is_about_to_go():
    """Its address is named as deprecated; what that means is the business of ``state.underlays``."""
    both = (UnderlayConfig("eth0", 0, 255, ()), UnderlayConfig("eth1", 1, 100, ()))
    going, staying = at("203.0.113.5", IFA_F_DEPRECATED), at("203.0.113.6")
    found = usable_underlays(both, TwoInterfaces(going, staying), ())
    assert [(u.link_id, u.deprecated) for u in found] == [(0, {going.ip}), (1, set())]


def test_down_or_missing():
    """No carrier, no interface, no address: no underlay."""
    assert usable(configured(), at("203.0.113.5"), up=False) == []
    assert usable(configured(interface="eth9"), at("203.0.113.5")) == []
    assert usable(configured()) == []
