# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that packets are signed with: from the inventory to the keys of each node."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.aero.link.plugins.filter.keys import aero_signature_keys
from ansible_collections.aero.link.plugins.module_utils import _model

from aerod.address import parse_address
from aerod.wire.signature import derived_key
from tests.unit.plugins.module_utils.link_inventory import BARE, GROUPS, link_hosts, underlay
from tests.unit.plugins.module_utils.rendered_configs import configurations, rendered

OLD, NEW = "01d0" * 16, "4e3d" * 16
SECRETS = [{"id": 7, "secret": OLD}, {"id": "8", "secret": NEW}]


@pytest.fixture
def hosts(tmp_path):
    return link_hosts(tmp_path)


def with_secrets(hosts, required=True):
    for variables in hosts.values():
        variables.update(aero_require_signature=required, aero_signature_secrets=SECRETS)
    return hosts


def refused(hosts):
    link, errors = _model.build(hosts, GROUPS)
    assert link == {} and not any(OLD in line or NEW in line for line in errors)
    return errors


def test_relays_and_servers_have_the_secrets_and_each_client_keys_of_its_own(hosts):
    hosts["c1"]["aero_client_configured_servers"] = ["s1"]
    hosts["c1"]["aero_underlays"] = [underlay("203.0.113.101")]
    files = configurations(with_secrets(hosts), {**GROUPS})
    secrets = [(7, bytes.fromhex(OLD)), (8, bytes.fromhex(NEW))]
    owners = {"c1": parse_address("fe80::2001:db8:1:0"), "c2": bytes.fromhex(BARE["c2"])}
    for name, file in files.items():
        expected = secrets
        if name in owners:
            expected = [(number, derived_key(secret, owners[name])) for number, secret in secrets]
        assert [(key.id, key.secret) for key in file.signatures.keys] == expected, name
        assert file.signatures.required


def test_no_client_sees_a_secret_and_no_key_is_in_the_model(hosts):
    texts = rendered(with_secrets(hosts), GROUPS)
    assert OLD in texts["s1"] and OLD in texts["r1"]
    assert not any(secret in texts[name] for secret in (OLD, NEW) for name in ("c1", "c2"))
    link, errors = _model.build(hosts, GROUPS)
    assert errors == [] and link["require_signature"] is True
    assert "signature_secrets" not in link and OLD not in repr(link)


def test_none_by_default(hosts):
    assert {file.signatures for file in configurations(hosts, GROUPS).values()} == {None}
    files = configurations(with_secrets(hosts, required=False), GROUPS).values()
    assert {file.signatures.required for file in files} == {False}


@pytest.mark.parametrize(("secrets", "line"), [
    (OLD, " = (not shown): not a list; "),
    ([OLD], "[0] = (not shown): not a dictionary; "),
    ([{"id": 7, "secret": OLD, "name": "x"}], "[0].name = (not shown): unknown key; "),
    ([{"id": 4294967296, "secret": OLD}], "[0].id = (not shown): not usable; "),
    ([{"id": 7, "secret": OLD[2:]}], "[0].secret = (not shown): not usable; "),
    ([{"id": 7, "secret": OLD}, {"id": 7, "secret": NEW}], " = (not shown): the id 7 is there 2 times; "),
    ([{"id": 7, "secret": 10**70}], "[0].secret = (not shown): not usable; "),
])
def test_bad_secrets(hosts, secrets, line):
    for variables in hosts.values():
        variables["aero_signature_secrets"] = secrets
    assert any(f"aero_signature_secrets{line}allowed: " in error for error in refused(hosts))


def test_signatures_need_secrets_and_room(hosts):
    for variables in hosts.values():
        variables["aero_require_signature"] = True
    assert refused(hosts) == [
        "all hosts: aero_signature_secrets = []: needed since aero_require_signature is true; allowed: one secret or "
        "more, each with id and secret, such as openssl rand -hex 32 prints"]
    for variables in with_secrets(hosts).values():
        variables["aero_encapsulation"] = "gue"
    assert refused(hosts) == [
        "all hosts: aero_require_signature = true: aero_encapsulation = gue has no room for signatures; allowed: "
        "false, or aero_encapsulation = plain"]
    with_secrets(hosts, required=False)
    assert refused(hosts) == [
        "all hosts: aero_signature_secrets = (not shown): aero_encapsulation = gue has no room for signatures; "
        "allowed: no secrets, or aero_encapsulation = plain"]


def test_a_host_with_another_secret_is_found_and_neither_is_shown(hosts):
    with_secrets(hosts)["s2"]["aero_signature_secrets"] = [{"id": 7, "secret": NEW}]
    (line,) = refused(hosts)
    assert line.startswith("s2: aero_signature_secrets = (not shown): ")


def test_the_filter_tells_what_is_wrong():
    with pytest.raises(AnsibleFilterError, match="secrets = \\(not shown\\): not a list"):
        aero_signature_keys(OLD, BARE["c1"])
    with pytest.raises(AnsibleFilterError, match="owner = client1: not an IP address"):
        aero_signature_keys(SECRETS, "client1")
