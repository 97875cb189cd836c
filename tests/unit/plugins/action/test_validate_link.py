# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/validate.yml as people run it: real inventories, real templates, no host there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
import yaml
from ansible_collections.aero.link.plugins.filter.addresses import FilterModule
from ansible_collections.aero.link.tests.unit.plugins.action.example_inventory import (
    COLLECTION,
    EXAMPLE,
    PLAYBOOK,
    Inventory,
)

# Shows on each host of the play what it reads of the model.
SHOW = """
- import_playbook: aero.link.validate
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ inventory_hostname }} {{ (mine | default({})).role | default('no role') }}"
      vars:
        mine: "{{ aero_link.hosts[inventory_hostname] }}"
"""


@pytest.fixture
def inventory(tmp_path):
    return Inventory(tmp_path)


def test_the_example_is_right(inventory):
    code, output = inventory.run()
    assert code == 0, output
    assert "WARNING" not in output


@pytest.mark.parametrize(("mode", "said"), [
    ("duid", "aero_underlay_protected = false with aero_dhcp_authentication = duid: whoever knows a Client's ID"),
    ("psk", "aero_underlay_protected = false: whoever can send on the underlay"),
])
def test_an_underlay_without_protection_is_warned_of(inventory, mode, said):
    """Of DHCPv6 without keys in particular (AERO-144)."""
    inventory.group("aero", aero_underlay_protected=False, aero_dhcp_authentication=mode)
    code, output = inventory.run()
    assert (code, f"[WARNING]: {said}" in " ".join(output.split())) == (0, True), output


def test_no_secret_is_printed(inventory):
    _code, output = inventory.run("-vvv")
    assert "2001:db8" in output
    assert not any(secret in output for secret in ("bgp-secret", "dHNpZy1zZWNyZXQ=", "5ec2e7"))


def test_the_example_is_right_but_for_its_secrets(inventory):
    """Which everybody knows."""
    shutil.copy(EXAMPLE / "group_vars" / "aero" / "secrets.yml.example", inventory.secrets)
    why = "(not shown): still the one of the example; allowed: your own, see Secrets in docs/operations.md"
    assert inventory.mistakes() == [
        f"ns1: aero_dns_tsig_secret = {why}",
        *(f"relay{n}: aero_bgp_password = {why}" for n in (1, 2)),
        *(f"server{n}: {name} = {why}" for n in (1, 2) for name in ("aero_bgp_password", "aero_dns_tsig_secret"))]


@pytest.mark.parametrize("limit", ["client1", "relay1:server2", "ns1"])
def test_under_a_limit_each_host_of_the_play_has_the_whole_model(inventory, tmp_path, limit):
    (tmp_path / "show.yml").write_text(SHOW)
    code, output = inventory.run("--limit", limit, "--check", playbook=str(tmp_path / "show.yml"))
    assert code == 0, output
    roles = {"client1": "client", "relay1": "relay", "server2": "server", "ns1": "name_server"}
    for host in limit.split(":"):
        assert f"{host} {roles[host]}" in output


def test_the_model_is_there_for_hosts_outside_the_link_and_whatever_the_tags(inventory, tmp_path):
    with (inventory.folder / "hosts.yml").open("a") as hosts:
        hosts.write("others:\n  hosts:\n    h1: {aero_anything: 1}\n")
    (tmp_path / "show.yml").write_text(SHOW.replace("  tasks:", "  tags: mine\n  tasks:"))
    code, output = inventory.run("--limit", "h1", "--tags", "mine", playbook=str(tmp_path / "show.yml"))
    assert code == 0, output
    assert "h1 no role" in output


def test_without_injected_facts(inventory, tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_INJECT_FACT_VARS", "false")
    (tmp_path / "show.yml").write_text(SHOW)
    code, output = inventory.run("--limit", "server1", playbook=str(tmp_path / "show.yml"))
    assert (code, "server1 server" in output) == (0, True), output


def test_a_limit_does_not_hide_the_mistake_of_another_host(inventory):
    inventory.host("server2", aero_id=11)
    assert inventory.mistakes("--limit", "client1") == [
        "server2: aero_id = 11: already the ID of server1; allowed: each Relay and Server its own ID, "
        "set as aero_id or by another aero_id_base for the group"]


def test_values_may_be_templates(inventory):
    inventory.group("aero", site="example.net", aero_dns_zone="{{ site }}", aero_asps="{{ site_asps }}",
                    site_asps=["{{ '2001:db8::/32' }}", "198.51.100.0/24"])
    code, output = inventory.run()
    assert code == 0, output


def test_template_of_one_host_that_looks_at_another(inventory):
    inventory.host("relay1", aero_bgp_outside=[
        {"name": "transit", "address": "{{ hostvars['ns1'].outside }}", "asn": "{{ hostvars['ns1'].asn }}"}])
    inventory.host("ns1", outside="203.0.113.254", asn=64999)
    code, output = inventory.run()
    assert code == 0, output


def test_template_that_fails(inventory):
    inventory.host("client1", aero_eun_interface="{{ no_such_variable }}")
    assert inventory.mistakes() == [
        "client1: aero_eun_interface = (no value): 'no_such_variable' is undefined; "
        "allowed: a value, or a template of what the inventory has"]


def test_extra_variable_of_the_command_line(inventory):
    code, output = inventory.run("-e", "aero_port=9000")
    assert code == 0, output
    assert inventory.mistakes("-e", "aero_port=90000") == [
        "all hosts: aero_port = 90000: out of range; allowed: 1 to 65535"]


def test_missing_secret(inventory):
    inventory.secrets.unlink()
    lines = inventory.mistakes()
    assert lines[0].startswith('all hosts: aero_dns_tsig_secret = "": needed to publish names')
    assert [line.split(" = ")[0] for line in lines[1:]] == [
        f"{host}: aero_bgp_password" for host in ("relay1", "relay2", "server1", "server2")]


def test_vaulted_secret(inventory, tmp_path):
    password = tmp_path / "password"
    password.write_text("vault")
    encrypted = subprocess.run(
        [PLAYBOOK.with_name("ansible-vault"), "encrypt_string", "--vault-password-file", password, "s3cret",
         "--name", "aero_bgp_password"], capture_output=True, text=True, check=True).stdout
    (inventory.folder / "group_vars" / "aero" / "z_vault.yml").write_text(encrypted)
    code, output = inventory.run("--vault-password-file", str(password))
    assert code == 0, output


def test_role_groups_and_table_at_once(inventory):
    hosts = yaml.safe_load((inventory.folder / "hosts.yml").read_text())
    nodes = hosts["aero"]["children"]["aero_nodes"]["children"]
    nodes["aero_servers"]["hosts"]["relay1"] = None
    (inventory.folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
    table = inventory.folder / "group_vars" / "aero" / "acp_table.csv"
    table.write_text(table.read_text() + "00:03:00:01:52:54:00:00:10:01,2001:db9::/48,,\n")
    lines = inventory.mistakes()
    assert lines[0] == ("relay1: groups = aero_relays, aero_servers: more than one role; "
                        "allowed: one of aero_relays, aero_servers, aero_clients")
    assert [line.partition(": ")[0] for line in lines[-2:]] == [f"{table}:8"] * 2


def test_probe_of_a_host_outside_the_link(inventory):
    with (inventory.folder / "hosts.yml").open("a") as hosts:
        hosts.write("others:\n  hosts:\n    h1: {aero_verify_probes: [{to_host: \"{{ 'client' ~ 3 }}\"}]}\n")
    assert inventory.mistakes() == [
        "h1: aero_verify_probes[0].to_host = client3: not in the inventory; did you mean client2? "
        "allowed: a host of the inventory"]


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda text: text + "  - : [\n", "YAML parsing failed"),
    (lambda text: text.replace("server2:", "server1:"), "Found duplicate mapping key 'server1'"),
    (None, "Completely failed to parse inventory source"),
])
def test_an_inventory_that_cannot_be_read_is_a_failure_in_a_clone(inventory, spoil, said):
    """By two settings of ansible.cfg; without them it is a run that ends well, for no host or for one less."""
    (inventory.folder.parent / "ansible.cfg").write_text((COLLECTION / "ansible.cfg").read_text())
    assert inventory.run()[0] == 0
    hosts = inventory.folder / "hosts.yml"
    if spoil:
        hosts.write_text(spoil(hosts.read_text()))
    else:
        inventory.folder = inventory.folder.with_name("invnetory")
    code, output = inventory.run()
    assert (code != 0, said in output) == (True, True), output


def test_many_mistakes_do_not_drown_the_terminal(inventory):
    table = inventory.folder / "group_vars" / "aero" / "acp_table.csv"
    table.write_text("client_id,acps,name,comment\n" + "zz,2001:db8::/64,,\n" * 400)
    lines = inventory.mistakes()
    assert len(lines) == 51
    assert lines[-1] == "... and 749 more"


def test_filters_and_module_are_documented(tmp_path):
    for kind, short in {"filter": sorted(FilterModule().filters()), "module": ["acp_table", "validate_link"],
                        "lookup": ["acp_lookup"]}.items():
        names = [f"aero.link.{name}" for name in short]
        shown = subprocess.run(
            [PLAYBOOK.with_name("ansible-doc"), "--json", "-t", kind, *names],
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2])},
            cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert sorted(json.loads(shown)) == names
