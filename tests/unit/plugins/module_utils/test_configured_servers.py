# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients without DHCPv6: from the inventory by the model and the template to what the daemon takes."""

from __future__ import annotations

import pytest
from ansible_collections.aero.link.plugins.module_utils import _model

from tests.unit.plugins.module_utils.link_inventory import GROUPS, link_hosts, underlay
from tests.unit.plugins.module_utils.rendered_configs import configurations

ALL = {**GROUPS, "all": [host for group in GROUPS.values() for host in group]}


@pytest.fixture
def hosts(tmp_path):
    hosts = link_hosts(tmp_path)
    hosts["c1"]["aero_client_configured_servers"] = ["s2", "s1"]
    hosts["c1"]["aero_underlays"] = [
        underlay("203.0.113.101", "fd00:ae::101"),
        underlay("203.0.113.102", interface="wlan0", link_id=7, preference=9),
    ]
    return hosts


def test_both_sides_know_each_other(hosts):
    files = configurations(hosts, GROUPS)
    c1 = files["c1"]
    assert [(neighbor.name, neighbor.id) for neighbor in c1.neighbors] == [("s2", 12), ("s1", 11)]
    assert [str(acp) for acp in c1.client.acps] == ["2001:db8:1::/56", "198.51.100.32/28"]
    assert c1.client.duid == b""
    for server in ("s1", "s2"):
        (known,) = files[server].server.configured
        assert (known.name, known.acps) == ("c1", c1.client.acps)
        links = [(link.link_id, link.preference, link.address.text) for link in known.links]
        assert links == [(0, 255, "203.0.113.101"), (7, 9, "203.0.113.102")]


def test_other_clients_use_dhcpv6(hosts):
    c2 = configurations(hosts, GROUPS)["c2"]
    assert c2.neighbors == () and c2.client.acps == () and c2.client.prefixes == 1
    assert not c2.client.synthesized_ra


def test_a_client_that_needs_a_router(hosts):
    hosts["c2"]["aero_synthesized_ra"] = True
    assert configurations(hosts, GROUPS)["c2"].client.synthesized_ra


@pytest.mark.parametrize(
    "variable,value,line",
    [
        ("aero_client_configured_servers", ["s3"], "c1: aero_client_configured_servers[0] = s3: no Server of the link"),
        ("aero_client_configured_servers", ["r1"], "c1: aero_client_configured_servers[0] = r1: no Server"),
        ("aero_client_configured_servers", ["s1", "s1"], "c1: aero_client_configured_servers[1] = s1: there twice"),
        ("aero_client_configured_servers", "s1", "c1: aero_client_configured_servers = s1: "),
        ("aero_underlays", [{"interface": "eth0"}], "c1: aero_underlays[0].addresses = []: none, and the Servers"),
        ("aero_synthesized_ra", "perhaps", "c1: aero_synthesized_ra = perhaps: "),
    ],
)
def test_mistakes(hosts, variable, value, line):
    hosts["c1"][variable] = value
    _link, errors = _model.build(hosts, ALL)
    assert any(error.startswith(line) for error in errors), errors


def test_such_a_client_needs_no_dns(hosts):
    for values in hosts.values():
        values["aero_dns_update_server"] = ""
    _link, errors = _model.build(hosts, ALL)
    assert not any(error.startswith("c1: aero_client_server_addresses") for error in errors)
    assert any(error.startswith("c2: aero_client_server_addresses") for error in errors)
