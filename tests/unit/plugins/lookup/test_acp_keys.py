# SPDX-License-Identifier: GPL-3.0-or-later
"""acp_keys: the keys of Clients that have one of their own."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.aero.link.plugins.lookup.acp_keys import LookupModule
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import compiled

ONE, TWO = "0003000100000001", "0003000100000002"
KEY = "0123456789abcdef" * 2


@pytest.fixture
def variables(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"client_id,acps,key\n{ONE},2001:db8:1::/56,\n{TWO},2001:db8:2::/56,{KEY.upper()}\n")
    table, errors = compiled(str(path), None, str(tmp_path))
    assert errors == []
    return {"aero_link": {"acp_table": {"compiled": table.folder}}}


def test_those_who_have_one(variables):
    found = [{"client_id": TWO, "key": KEY}]
    assert LookupModule().run([], variables) == found
    assert LookupModule().run([ONE, "00:03:00:01:00:00:00:02"], variables) == found
    assert LookupModule().run([ONE], variables) == []


def test_mistakes(variables):
    with pytest.raises(AnsibleLookupError, match="client2: "):
        LookupModule().run(["client2"], variables)
    with pytest.raises(AnsibleLookupError, match="was not read in this run"):
        LookupModule().run([], {})
