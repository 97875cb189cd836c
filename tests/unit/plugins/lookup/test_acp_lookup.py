# SPDX-License-Identifier: GPL-3.0-or-later
"""acp_lookup: which Clients a term means; playbooks use it in tests/unit/plugins/action/test_acp_table.py."""

from __future__ import annotations

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible_collections.aero.link.plugins.lookup.acp_lookup import LookupModule
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import compiled

TABLE = """client_id,acps,name
00:03:00:01:52:54:00:00:10:01,2001:db8:1::/56 198.51.100.32/28,c1
00:03:00:01:00:00:00:02,2001:db8:2::/64,c2
00:03:00:01:52:54:00:00:10:03,2001:db8:3::/64,c1
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return str(path)


class Lookup(LookupModule):
    """Without Ansible's loader, which would read the defaults of the options from the documentation."""

    def set_options(self, task_keys=None, var_options=None, direct=None):
        self.given = {"table": None, "asps": [], **direct}

    def get_option(self, option, hostvars=None):
        return self.given[option]


def ask(*terms, variables=None, **options):
    return [client["line"] for client in Lookup().run(terms, variables, **options)]


@pytest.mark.parametrize(("term", "lines"), [
    ("2001:db8:1:7::1", [2]), ("198.51.100.33", [2]), ("2001:db8::/32", [2, 3, 4]), ("2001:db8:1:7::/64", [2]), ("192.0.2.1", []),
    ("00:03:00:01:00:00:00:02", [3]), ("0003.0001.0000.0002", [3]), ("0x0003000152540000100A", []), ("c1", [2, 4]), ("c9", []),
])
def test_what_a_term_means(table, term, lines):
    assert ask(term, table=table) == lines


def test_all_terms_in_turn_and_all_clients(table):
    assert ask("c2", "198.51.100.33", "c2", table=table) == [3, 2, 3]
    assert ask(table=table) == [3, 2, 4]


def test_what_is_told_of_a_client(table):
    assert Lookup().run(["198.51.100.32/28"], {}, table=table) == [{
        "client_id": "00030001525400001001", "duid": "00:03:00:01:52:54:00:00:10:01",
        "acps": ["2001:db8:1::/56", "198.51.100.32/28"], "name": "c1", "line": 2}]


def test_the_table_of_the_link(table, tmp_path):
    link = {"acp_table": {"compiled": compiled(table, None, str(tmp_path))[0].folder}}
    assert ask("c2", variables={"aero_link": link}) == [3]


@pytest.mark.parametrize(("arguments", "message"), [
    ({}, "the ACP table of the link was not read in this run; allowed: plays after aero.link.validate, or table=PATH"),
    ({"variables": {"aero_link": {"acp_table": {"compiled": "/none"}}}}, "the ACP table of the link was not read in this run"),
    ({"table": "/none.csv"}, "/none.csv: cannot be read"),
    ({"asps": ["192.0.2.0/24"]}, "in none of the link's ASPs"),
    ({"asps": ["192.0.2.0"]}, "asps = ['192.0.2.0']: not a prefix"),
])
def test_what_cannot_be_asked(table, arguments, message):
    if "asps" in arguments:
        arguments["table"] = table
    with pytest.raises(AnsibleLookupError) as error:
        ask("c1", **arguments)
    assert message in str(error.value)


def test_a_prefix_that_is_none(table):
    with pytest.raises(AnsibleLookupError) as error:
        ask("2001:db8::1/56", table=table)
    assert "2001:db8::1/56: has bits set to the right of its length" in str(error.value)
