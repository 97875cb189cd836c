# SPDX-License-Identifier: GPL-3.0-or-later
"""The link model of a right inventory."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.aero.link.plugins.module_utils import _model
from ansible_collections.aero.link.plugins.module_utils._model_values import Rows
from ansible_collections.aero.link.tests.unit.plugins.module_utils.link_inventory import (
    BARE,
    DUID,
    GROUPS,
    SECRETS,
    link_hosts,
    nested,
    underlay,
)


@pytest.fixture
def hosts(tmp_path):
    return link_hosts(tmp_path)


def test_link_values_have_their_defaults(hosts):
    link, errors = _model.build(hosts, GROUPS)
    assert errors == []
    assert {key: link[key] for key in (
        "domain", "asps", "port", "bgp_backend", "dhcp_backend", "bgp_relay_asn", "bgp_import_limit",
        "lease_preferred", "lease_valid", "lease_renew", "lease_rebind", "release_grace", "vendor_options",
        "dns_update_port", "dns_tsig_algorithm", "dns_zone", "capability_suffix", "capability_zone",
        "name_servers")} == {
        "domain": "example.net", "asps": ["198.51.100.0/24", "2001:db8::/32"], "port": 8060,
        "bgp_backend": "bird", "dhcp_backend": "kea", "bgp_relay_asn": 64512, "bgp_import_limit": 100000,
        "lease_preferred": 3600, "lease_valid": 7200, "lease_renew": 1000, "lease_rebind": 2000,
        "release_grace": 5.0, "vendor_options": "rfc8415", "dns_update_port": 53,
        "dns_tsig_algorithm": "hmac-sha256", "dns_zone": "example.net",
        "capability_suffix": "aero.linkupnetworks.net", "capability_zone": "aero.linkupnetworks.net",
        "name_servers": ["ns1"]}


def test_a_table_given_as_data(hosts):
    rows = Rows([{"client_id": DUID[name], "acps": acps, "name": name} for name, acps in
                 (("c1", ["2001:db8:1::/56", "198.51.100.32/28"]), ("c2", "2001:db8:2::/64"))])
    of_file, _errors = _model.build(hosts, GROUPS)
    for variables in hosts.values():
        variables["aero_acp_table"] = rows
    link, errors = _model.build(hosts, GROUPS)
    assert errors == []
    assert link.pop("acp_table") == {**of_file.pop("acp_table"), "file": "aero_acp_table"}
    assert link == of_file


def test_relays_servers_and_clients(hosts):
    link, _errors = _model.build(hosts, GROUPS)
    assert link["relays"][0] == {
        "name": "r1", "id": 1, "link_local": "fe80::1", "asn": 64512, "router_id": "0.0.0.1",
        "addresses": ["203.0.113.1", "fd00:ae::1"]}
    assert [(s["name"], s["link_local"], s["asn"], s["router_id"]) for s in link["servers"]] == [
        ("s1", "fe80::b", 4200000011, "0.0.0.11"), ("s2", "fe80::c", 4200000012, "0.0.0.12")]
    assert link["clients"] == [
        {"name": "c1", "client_id": BARE["c1"], "acps": ["2001:db8:1::/56", "198.51.100.32/28"]},
        {"name": "c2", "client_id": BARE["c2"], "acps": ["2001:db8:2::/64"]}]
    assert link["hosts"]["r1"]["bgp_outside"] == [
        {"name": "x1", "address": "203.0.113.254", "asn": 64999, "has_password": False}]


def test_client_host(hosts):
    link, _errors = _model.build(hosts, GROUPS)
    host = link["hosts"]["c2"]
    assert host["underlays"] == [{"interface": "eth0", "addresses": [], "link_id": 0, "preference": 255},
                                 {"interface": "wlan0", "addresses": [], "link_id": 1, "preference": 9}]
    assert (host["role"], host["duid"]) == ("client", DUID["c2"])
    assert host["aero_addresses"] == ["fe80::2001:db8:2:0"]


def test_every_host_has_every_key(hosts):
    link, _errors = _model.build(hosts, GROUPS)
    assert len({frozenset(host) for host in link["hosts"].values()}) == 1
    assert link["hosts"]["ns1"]["role"] == "name_server"


def test_a_server_can_be_a_name_server_too(hosts):
    link, errors = _model.build(hosts, {**GROUPS, "aero_name_servers": ["ns1", "s1"]})
    assert errors == []
    host = link["hosts"]["s1"]
    assert (host["role"], host["name_server"], host["dns_backend"]) == ("server", True, "bind")


def test_no_secret_is_in_the_model(hosts):
    hosts["r1"]["aero_bgp_outside"][0]["password"] = "hidden-secret"
    link, errors = _model.build(hosts, GROUPS)
    assert errors == []
    assert link["hosts"]["r1"]["bgp_outside"][0]["has_password"] is True
    assert not any(secret in json.dumps(link) for secret in SECRETS)


def test_values_that_came_as_text(hosts):
    """As -e on the command line gives them."""
    for variables in hosts.values():
        variables.update(aero_port="9000", aero_firewall="no", aero_release_grace="2.5")
    link, errors = _model.build(hosts, GROUPS)
    assert errors == []
    assert (link["port"], link["hosts"]["s1"]["firewall"], link["release_grace"]) == (9000, False, 2.5)


def test_empty_value_is_as_none_set(hosts):
    for variables in hosts.values():
        variables.update(aero_port=None, aero_eun_interface=None)
    link, errors = _model.build(hosts, GROUPS)
    assert (errors, link["port"], link["hosts"]["c1"]["eun_interface"]) == ([], 8060, "")


def test_id_survives_a_host_that_comes_and_one_that_goes(hosts):
    groups = nested({**GROUPS, "aero_servers": ["s3", "s2"]})
    hosts["s3"] = {**hosts.pop("s1"), "aero_underlays": [underlay("203.0.113.13")]}
    link, errors = _model.build(hosts, groups)
    assert errors == []
    assert [(server["name"], server["id"]) for server in link["servers"]] == [("s2", 12), ("s3", 13)]


def test_id_from_a_fully_qualified_name(hosts):
    hosts["s7.dc1.example.net"] = hosts.pop("s1")
    link, errors = _model.build(hosts, nested({**GROUPS, "aero_servers": ["s7.dc1.example.net", "s2"]}))
    assert (errors, link["hosts"]["s7.dc1.example.net"]["id"]) == ([], 17)


def test_nested_service_prefixes_are_fine(hosts):
    for variables in hosts.values():
        variables["aero_asps"] = ["2001:db8::/32", "2001:db8:1::/48", "198.51.100.0/24"]
    link, errors = _model.build(hosts, GROUPS)
    assert errors == []
    assert len(link["capability_names"]) == 5


def test_several_hundred_hosts(hosts, capsys):
    hosts = {name: hosts[name] for name in ("r1", "s1", "c1")}
    servers = [f"s{n}" for n in range(1, 501)]
    for n, name in enumerate(servers):
        hosts[name] = {**hosts["s1"], "aero_underlays": [underlay(f"10.0.{n >> 8}.{n & 255}")]}
    started = time.perf_counter()
    groups = nested({"aero_relays": ["r1"], "aero_servers": servers, "aero_clients": ["c1"]})
    link, errors = _model.build(hosts, groups)
    with capsys.disabled():
        print(f"\nmodel of 500 Servers in {time.perf_counter() - started:.2f} s")
    assert (errors, len(link["servers"])) == ([], 500)
