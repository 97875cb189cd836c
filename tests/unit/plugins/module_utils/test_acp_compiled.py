# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled ACP table: answers by bisection, the same as a search through all rows; read once in a run."""

from __future__ import annotations

import os

import pytest
from ansible_collections.aero.link.plugins.module_utils import _acp_compiled, _acp_table
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import Compiled, compiled
from ansible_collections.aero.link.plugins.module_utils._acp_table import Row, Table
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    overlaps,
    parse_address,
    parse_prefix,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ASPS = [parse_prefix("2001:db8::/32"), parse_prefix("198.51.100.0/24")]
ONE, TWO, THREE = "0003000101", "0003000102", "000300010203"
ROWS = [
    Row(THREE, (parse_prefix("2001:db8:9::/56"), parse_prefix("2001:db8:1::/56")), 2, "c1"),
    Row(TWO, (parse_prefix("2001:db8:2::/64"),), 3, "Zürich 2"),
    Row(ONE, (parse_prefix("198.51.100.32/28"),), 5, "c1"),
]


KEYS = {THREE: "aa" * 16, TWO: "bb" * 64}


@pytest.fixture(params=["in memory", "saved"])
def table(request, tmp_path):
    made = Compiled.of(Table(ROWS, [], keys=KEYS))
    return made if request.param == "in memory" else made.save(str(tmp_path / "table"))


def found(clients):
    return [client.line for client in clients]


def test_counts_lines_and_hash(table):
    assert (table.rows, table.acps) == (3, 4)
    assert table.lines() == Table(ROWS, []).lines
    assert table.sha256 == Table(ROWS, []).sha256


def test_a_client_by_its_id(table):
    assert table.client(THREE) == (THREE, ("2001:db8:9::/56", "2001:db8:1::/56"), 2, "c1")
    assert table.client(TWO).name == "Zürich 2"
    assert [table.client(client_id) for client_id in ("", "00030001", "000300010204", "ff")] == [None] * 4
    assert found(table.clients()) == [5, 3, 2]


def test_keys_of_clients_that_have_one(table):
    assert table.own_keys() == [(TWO, KEYS[TWO]), (THREE, KEYS[THREE])]
    assert [table.own_keys(client_id) for client_id in (THREE, ONE, "00030001", "ff")] == [[(THREE, KEYS[THREE])], [], [], []]
    assert Compiled.of(Table(ROWS, [])).own_keys() == Compiled.of(Table(ROWS, [])).own_keys(ONE) == []


@pytest.mark.parametrize(("address", "lines"), [
    ("2001:db8:1::", [2]), ("2001:db8:1:ff::1", [2]), ("2001:db8:1:100::", []), ("2001:db8::", []), ("::1", []),
    ("2001:db8:9:ff:ffff:ffff:ffff:ffff", [2]), ("2001:db8:9:100::", []), ("198.51.100.47", [5]), ("198.51.100.48", []),
])
def test_who_has_an_address(table, address, lines):
    assert found(table.owners(Prefix(parse_address(address), 128))) == lines


@pytest.mark.parametrize(("prefix", "lines"), [
    ("2001:db8:1::/56", [2]), ("2001:db8:1:80::/60", [2]), ("2001:db8::/32", [2, 3]), ("2001:db8:1::/48", [2]),
    ("2001:db8:2::/63", [3]), ("198.51.100.0/24", [5]), ("2001:db8:3::/48", []), ("::/0", [5, 2, 3]),
])
def test_who_has_a_prefix_or_something_inside_it(table, prefix, lines):
    assert found(table.owners(parse_prefix(prefix))) == lines


def test_clients_by_their_name(table):
    assert found(table.named("c1")) == [5, 2]
    assert found(table.named("Zürich 2")) == [3]
    assert found(table.named("c")) == found(table.named("")) == found(table.named("zz")) == []


def test_an_empty_table(tmp_path):
    for table in (empty := Compiled.of(Table([], [])), empty.save(str(tmp_path / "table"))):
        assert (table.client(ONE), table.owners(ASPS[0]), table.named("c1"), table.clients()) == (None, [], [], [])


# A small world of 8 bits, so that prefixes are near each other.
small = st.integers(0, 8).flatmap(lambda length: st.integers(0, 2**length - 1).map(
    lambda n: Prefix(0x20010DB8 << 96 | n << (96 - length), 32 + length)))


@settings(deadline=None)
@given(st.lists(small, max_size=12), st.lists(small, min_size=1, max_size=6))
def test_answers_are_those_of_a_search_through_all(acps, questions):
    inner = {position for _outer, position in overlaps(acps)}
    rows = [Row(f"0003000{n:03x}", (acp,), n) for n, acp in enumerate(acps) if n not in inner]
    table = Compiled.of(Table(rows, []))
    for question in questions:
        covering = [row.line for row in rows if row.acps[0].covers(question)]
        inside = [row.line for row in sorted(rows, key=lambda row: row.acps) if question.covers(row.acps[0])]
        assert found(table.owners(question)) == (covering or inside)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"client_id,acps\n{ONE},2001:db8:1::/56\n")
    return path


def test_it_is_read_once_as_long_as_it_does_not_change(source, tmp_path, monkeypatch):
    reads = []
    read = _acp_table.read
    monkeypatch.setattr(_acp_compiled._acp_table, "read", lambda *arguments: reads.append(1) or read(*arguments))
    first, errors = compiled(str(source), ASPS, str(tmp_path))
    again, _errors = compiled(str(source), ASPS, str(tmp_path))
    assert (errors, first.folder, again.sha256, len(reads)) == ([], again.folder, first.sha256, 1)
    source.write_text(f"client_id,acps\n{ONE},2001:db8:2::/56\n")
    os.utime(source, ns=(1, 1))
    assert compiled(str(source), ASPS, str(tmp_path))[0].sha256 != first.sha256
    assert compiled(str(source), ASPS[1:], str(tmp_path))[0] is None
    assert len(reads) == 3
    assert first.client(ONE).acps == ("2001:db8:1::/56",)


def test_mistakes_are_not_kept(source, tmp_path):
    source.write_text("client_id,acps\n")
    os.utime(source, ns=(1, 1))
    missing = str(tmp_path / "none.csv")
    assert compiled(missing, ASPS, str(tmp_path)) == (None, [
        f"{missing}: cannot be read: No such file or directory; allowed: a readable file"])
    assert sorted(os.listdir(tmp_path)) == ["table.csv"]


def test_data_is_known_by_its_content(tmp_path):
    rows = [{"client_id": ONE, "acps": ["2001:db8:1::/56"]}]
    one, other = (compiled(data, ASPS, str(tmp_path))[0] for data in (rows, [dict(row) for row in rows]))
    assert one.folder == other.folder
    assert compiled([], ASPS, str(tmp_path))[0].folder != one.folder


def test_two_processes_that_save_the_same_at_once(tmp_path):
    made = Compiled.of(Table(ROWS, []))
    folders = {made.save(str(tmp_path / "table")).folder for _process in range(2)}
    assert len(folders) == 1 and os.listdir(tmp_path) == ["table"]
