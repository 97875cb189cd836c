# SPDX-License-Identifier: GPL-3.0-or-later
"""acp_table and acp_lookup in playbooks, as enrolment uses them."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.aero.link.tests.unit.plugins.action.example_inventory import Inventory

# Allocates, then asks on each host of the play what the table says.
ENROL = """
- hosts: all
  gather_facts: false
  tasks:
    - aero.link.acp_table:
        allocate: true
      run_once: true
      register: table
    - ansible.builtin.debug:
        msg: "allocated {{ table.allocated | map(attribute='prefix') }} of {{ table.acps }}"
      run_once: true
- import_playbook: aero.link.validate
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ inventory_hostname }} {{ query('aero.link.acp_lookup', *asked) | map(attribute='client_id') | join(' ') }}"
      vars:
        asked: [new, "2001:db8:1:4000::7", "00-03-00-01-52-54-00-00-10-01", "nobody"]
"""
NEW = "000300015254000000ff"


@pytest.fixture
def inventory(tmp_path):
    made = Inventory(tmp_path)
    (tmp_path / "enrol.yml").write_text(ENROL)
    return made


@pytest.fixture
def table(inventory):
    return inventory.folder / "group_vars" / "aero" / "acp_table.csv"


def enrol(inventory, *arguments):
    return inventory.run(*arguments, playbook=str(inventory.folder.parent / "enrol.yml"))


def test_new_clients_are_enrolled_and_found(inventory, table):
    before = table.read_text()
    table.write_text(f"{before}{NEW},auto/56 auto4/30,new,\n")
    for arguments in (["--check", "--diff"], ["--diff", "--limit", "relay1:client2"]):
        code, output = enrol(inventory, *arguments)
        assert code == 0, output
        assert "allocated ['2001:db8::/56', '198.51.100.0/30'] of 6" in output
        assert f"-{NEW},auto/56 auto4/30,new,\n+{NEW},2001:db8::/56 198.51.100.0/30,new,\n" in output
        assert f"client2 {NEW} 00030001525400001002 00030001525400001001" in output
        if "--check" in arguments:
            assert table.read_text() == f"{before}{NEW},auto/56 auto4/30,new,\n"
            assert [path.name for path in table.parent.glob("acp_table*")] == ["acp_table.csv"]
    assert table.read_text() == f"{before}{NEW},2001:db8::/56 198.51.100.0/30,new,\n"
    ledger = table.with_name("acp_table.csv.ledger.csv").read_text()
    assert f"2001:db8::/56,{NEW},\n" in ledger and len(ledger.splitlines()) == 8
    code, output = enrol(inventory)
    assert (code, "allocated [] of 6" in output, "changed=1" in output) == (0, True, False), output


def test_any_other_play_names_the_playbook_that_allocates(inventory, table):
    table.write_text(f"{table.read_text()}{NEW},auto/56,new,\n")
    assert inventory.mistakes() == [
        f"{table}:8: acps = auto/56: not allocated yet; allowed: a prefix "
        "(playbooks/enroll.yml allocates one and writes it here)"]


def test_mistakes_stop_enrolment_before_anything_is_written(inventory, table):
    table.write_text(f"{table.read_text()}{NEW},auto/56 2001:db9::/64,new,\n")
    before = table.read_text()
    _code, output = enrol(inventory)
    assert f"{table}:8: acps = 2001:db9::/64: in none of the link" in output
    assert (table.read_text(), len(list(table.parent.glob("acp_table*")))) == (before, 1)


def test_keys_are_in_no_output(inventory, table):
    key = "0123456789abcdef" * 2
    table.write_text(f"client_id,acps,key\n00030001525400001001,auto/56,{key}\n"
                     + f"00030001525400001002,2001:db8:1:4000::/64,{key}\n")
    code, output = enrol(inventory, "--check", "--diff", "-vvv")
    assert (code, key in output, "+00030001525400001001,2001:db8::/56,(not shown)" in output) == (0, False, True), output


ROWS = [{"client_id": f"00:03:00:01:52:54:00:00:10:0{n}", "acps": [f"2001:db8:{n}::/56"], "name": f"client{n}"}
        for n in (1, 2)]


def test_rows_as_data_are_had_once_for_all_hosts(inventory, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    query = f"{{{{ lookup('ansible.builtin.pipe', 'echo x >> {tmp_path}/asked; cat {tmp_path}/rows.json') | from_json }}}}"
    inventory.group("aero", aero_acp_table=query)
    code, output = enrol(inventory, "--limit", "server1", "-vvv")
    assert code == 0, output
    assert "server1 00030001525400001001" in output.replace("\n", " ") or "server1  00030001525400001001" in output
    # Once by acp_table and once by validate_link.
    assert (tmp_path / "asked").read_text() == "x\n" * 2


def test_a_table_of_another_form(inventory, tmp_path):
    (tmp_path / "table.yml").write_text(yaml.safe_dump(ROWS))
    inventory.group("aero", aero_acp_table="../table.yml")
    code, output = inventory.run()
    assert code == 0, output
