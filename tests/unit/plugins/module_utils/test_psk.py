# SPDX-License-Identifier: GPL-3.0-or-later
"""Pre-shared keys, from the inventory by model, filter and templates to what the daemon reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.aero.link.plugins.filter.keys import FilterModule as AeroFilters
from ansible_collections.aero.link.plugins.module_utils import _model

from aerod.config_authentication import AuthenticationConfig, read_keys
from tests.unit.plugins.module_utils.link_inventory import BARE, DUID, GROUPS, link_hosts
from tests.unit.plugins.module_utils.rendered_configs import configurations, rendered

ALL = {**GROUPS, "all": [host for group in GROUPS.values() for host in group]}
OLD, NEW = {"id": 7, "secret": "0A" * 32}, {"id": "8", "secret": "5ec2e7" * 16}


@pytest.fixture
def hosts(tmp_path):
    hosts = link_hosts(tmp_path)
    for host in hosts.values():
        host["aero_dhcp_authentication"] = "psk"
    for server in ("s1", "s2"):
        hosts[server]["aero_psk_secrets"] = [NEW, OLD]
    return hosts


def model(hosts):
    link, errors = _model.build(hosts, ALL)
    assert errors == []
    return link


def test_a_clients_key_is_the_one_that_a_server_derives(hosts, tmp_path):
    """By the newest secret; the Server takes the older ones, too."""
    for name, text in rendered(hosts, GROUPS, "dhcp_keys.j2", "has_psk").items():
        (tmp_path / name).write_text(text)
    server = read_keys(AuthenticationConfig(tmp_path / "s1"), "server")
    client = read_keys(AuthenticationConfig(tmp_path / "c1"), "client")
    assert server.ids == (8, 7) and client.ids == (8,)
    assert client.newest.secret == server.secret_of(bytes.fromhex(BARE["c1"]), 8)
    assert client.newest.secret != server.secret_of(bytes.fromhex(BARE["c2"]), 8)
    assert "5ec2e7" not in (tmp_path / "c1").read_text()


def test_a_client_with_a_key_of_its_own_in_the_table(hosts, tmp_path):
    """Servers take it by the ID of each secret, so that a rotation, which does not change it, waits for nobody."""
    own = "c1e47" * 6 + "c0"
    path = tmp_path / "group_vars" / "aero" / "acp_table.csv"
    header, *rows = path.read_text().splitlines()
    rows = [f"{row},{own if DUID['c1'] in row else ''}" for row in rows]
    path.write_text("\n".join([f"{header},key", *rows]) + "\n")
    for template, name in (("dhcp_keys.j2", "keys"), ("client_keys.j2", "singles")):
        for host, text in rendered(hosts, GROUPS, template, "has_psk").items():
            (tmp_path / f"{host}.{name}").write_text(text)
    server = read_keys(AuthenticationConfig(tmp_path / "s1.keys", tmp_path / "s1.singles"), "server")
    client = read_keys(AuthenticationConfig(tmp_path / "c1.keys"), "client")
    duid = bytes.fromhex(BARE["c1"])
    assert (client.newest.id, client.newest.secret) == (8, bytes.fromhex(own))
    assert [server.secret_of(duid, number) for number in (8, 7, 6)] == [bytes.fromhex(own)] * 2 + [None]
    other = read_keys(AuthenticationConfig(tmp_path / "c2.keys"), "client")
    assert other.newest.secret == server.secret_of(bytes.fromhex(BARE["c2"]), 8) != bytes.fromhex(own)
    assert own not in repr(model(hosts))
    assert configurations(hosts, GROUPS)["s1"].authentication.client_keys == Path("/etc/aero/client_keys")


def test_who_gets_keys(hosts):
    hosts["c2"] |= {"aero_client_configured_servers": ["s1"]}
    hosts["c2"]["aero_underlays"] = [{"interface": "eth0", "addresses": ["203.0.113.102"]}]
    link = model(hosts)
    assert {name for name, host in link["hosts"].items() if host["has_psk"]} == {"s1", "s2", "c1"}
    for name, parsed in configurations(hosts, GROUPS).items():
        assert (parsed.authentication is not None) == link["hosts"][name]["has_psk"]


def test_no_secret_is_in_the_model(hosts):
    link = model(hosts)
    assert link["psk_ids"] == [8, 7]
    assert "5ec2e7" not in repr(link) and "0a0a" not in repr(link).lower()


def test_with_duid_nothing_is_needed(hosts):
    for host in hosts.values():
        host["aero_dhcp_authentication"] = "duid"
    del hosts["s1"]["aero_psk_secrets"], hosts["s2"]["aero_psk_secrets"]
    assert not any(host["has_psk"] for host in model(hosts)["hosts"].values())


AT = "aero_psk_secrets"
HEX = "allowed: hex digits for at least 32 bytes, as openssl rand -hex 32 prints them"
ID = "allowed: a whole number, 0 to 4294967295"


@pytest.mark.parametrize(("value", "line"), [
    ([], f"all hosts: {AT} = []: needed for aero_dhcp_authentication = psk; allowed: on the Servers, one secret or "
     "more, newest first, such as {id: 1, secret: what openssl rand -hex 32 prints}"),
    ("5ec2e7", f"{AT} = (not shown): not a list; allowed: a list of dictionaries with id and secret"),
    (["5ec2e7"], f"{AT}[0] = (not shown): not a dictionary; allowed: the keys id and secret"),
    ([NEW, {"id": 7}], f"{AT}[1].secret = (not set): missing; {HEX}"),
    ([{"id": 7, "secret": "5ec2e7"}], f"{AT}[0].secret = (not shown): not usable; {HEX}"),
    ([{"id": 7, "secret": "x" * 64}], f"{AT}[0].secret = (not shown): not usable; {HEX}"),
    ([{"id": 7, "secret": "5ec2e7" * 16 + "\n"}], f"{AT}[0].secret = (not shown): not usable; {HEX}"),
    ([{"secret": NEW["secret"]}], f"{AT}[0].id = (not set): missing; {ID}"),
    ([{"id": "5ec2e7", "secret": NEW["secret"]}], f"{AT}[0].id = (not shown): not usable; {ID}"),
    ([{"id": -1, "secret": NEW["secret"]}], f"{AT}[0].id = (not shown): not usable; {ID}"),
    ([{"id": True, "secret": NEW["secret"]}], f"{AT}[0].id = (not shown): not usable; {ID}"),
    ([{"id": 1, "secret": NEW["secret"], "secert": "5ec2e7"}],
     f"{AT}[0].secert = (not shown): unknown key; did you mean secret? allowed: id, secret"),
    ([NEW, {**OLD, "id": 8}], f"{AT} = (not shown): the id 8 is there 2 times; allowed: each id once"),
])
def test_mistakes(hosts, value, line):
    for server in ("s1", "s2"):
        hosts[server][AT] = value
    link, errors = _model.build(hosts, ALL)
    assert link == {}
    lines = [line] if line.startswith("all hosts") else [f"s1: {line}", f"s2: {line}"]
    assert errors == lines
    assert not any("5ec2e7" in error for error in errors)


def test_servers_that_differ(hosts):
    hosts["s2"][AT] = [OLD]
    _link, errors = _model.build(hosts, ALL)
    assert errors == [f"s2: {AT} = (not shown): s1 has (not shown); allowed: one value for the whole link"]


def test_an_unknown_mode(hosts):
    for host in hosts.values():
        host["aero_dhcp_authentication"] = "none"
    _link, errors = _model.build(hosts, ALL)
    assert errors == ["all hosts: aero_dhcp_authentication = none: unknown; allowed: duid, psk"]


def test_the_filter():
    key = AeroFilters().filters()["psk_of_client"]
    assert key([NEW, OLD], DUID["c1"]) == key([NEW], BARE["c1"])
    assert key([NEW], DUID["c1"])["id"] == 8 and len(key([NEW], DUID["c1"])["secret"]) == 64


@pytest.mark.parametrize(("secrets", "duid", "message"), [
    ([], DUID["c1"], "there is no secret to make a key from"),
    ([{"id": 1, "secret": "5ec2e7"}], DUID["c1"], f"secrets[0].secret = (not shown): not usable; {HEX}"),
    ([NEW], "zz", "client_id = zz: "),
])
def test_what_the_filter_refuses(secrets, duid, message):
    with pytest.raises(AnsibleFilterError) as error:
        AeroFilters().filters()["psk_of_client"](secrets, duid)
    assert str(error.value).startswith(f"psk_of_client: {message}")
