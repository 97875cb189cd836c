# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that cannot talk to each other over the underlay, with the line that is said about it."""
# Those lines stand here as they are printed.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from ansible_collections.aero.link.plugins.module_utils import _model
from ansible_collections.aero.link.tests.unit.plugins.module_utils.link_inventory import (
    GROUPS,
    link_hosts,
    refused,
    underlay,
)


@pytest.fixture
def hosts(tmp_path):
    return link_hosts(tmp_path)


BOTH = "allowed: addresses of one family on all Relays and Servers, or of both"


@pytest.mark.parametrize(("addresses", "lines"), [
    ({"r1": ["fd00:ae::1"]}, [f"r1: aero_underlays = IPv6 alone: only IPv4 reaches the Server s1 and 1 more; {BOTH}"]),
    ({"s2": ["fd00:ae::12"], "r1": ["203.0.113.1"]}, [
        f"s2: aero_underlays = IPv6 alone: only IPv4 reaches the Relay r1 and 1 more; {BOTH}"]),
    ({"s2": ["fd00:ae::12"], "r2": ["203.0.113.2", "fd00:ae::2"]}, []),
    ({"s1": ["fd00:ae::11"], "s2": ["fd00:ae::12"], "r1": ["fd00:ae::1"], "r2": ["fd00:ae::2"]}, []),
])
def test_relays_and_servers_of_one_family(hosts, addresses, lines):
    for host, own in addresses.items():
        hosts[host]["aero_underlays"] = [underlay(*own)]
    assert _model.build(hosts, GROUPS)[1] == lines


def test_client_and_its_configured_server_of_one_family(hosts):
    hosts["s1"]["aero_underlays"] = [underlay("203.0.113.11", "fd00:ae::11")]
    hosts["c1"].update(aero_client_configured_servers=["s1", "s2"], aero_underlays=[underlay("fd00:ae::c1")])
    assert refused(hosts) == [
        "c1: aero_client_configured_servers[1] = s2: only IPv4 reaches it, and aero_underlays have IPv6 alone; allowed: "
        "Servers with an address of the Client's family"]


def test_address_of_no_server_is_warned_of(hosts):
    """It may be one that is managed elsewhere."""
    hosts["c1"]["aero_client_server_addresses"] = ["203.0.113.11", "203.0.113.99"]
    hosts["c2"]["aero_client_server_addresses"] = ["203.0.113.99"]
    link, errors = _model.build(hosts, GROUPS)
    (warning,) = _model.warnings(link)
    assert errors == [] and warning.startswith("aero_client_server_addresses of c1 and 1 more: 203.0.113.99 is no address")
