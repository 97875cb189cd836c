# SPDX-License-Identifier: GPL-3.0-or-later
"""The ACP table as CSV, YAML, JSON and data: the same rows, and mistakes with their lines."""

from __future__ import annotations

import csv
import io
import json

import pytest
import yaml
from ansible_collections.aero.link.plugins.module_utils import _acp_table
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons
from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix, parse_prefix
from hypothesis import given, settings
from hypothesis import strategies as st

ASPS = (parse_prefix("2001:db8::/32"), parse_prefix("198.51.100.0/24"))
DUID = "00:03:00:01:52:54:00:12:34:56"
OTHER = "00:03:00:01:52:54:00:12:34:57"
LIST = "allowed: a list of dictionaries with client_id and acps"

ROWS = [
    {"client_id": DUID, "acps": ["2001:db8:1::/56", "198.51.100.32/28"], "name": "c1"},
    {"client_id": OTHER, "acps": "2001:db8:2::/64", "comment": "a, b: c", "name": None},
]


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, ["client_id", "name", "acps", "comment"])
    writer.writeheader()
    for row in rows:
        acps = row["acps"]
        writer.writerow({**row, "acps": acps if isinstance(acps, str) else " ".join(acps)})
    return text.getvalue()


FORMS = {
    "csv": as_csv,
    "yml": lambda rows: yaml.safe_dump(rows, allow_unicode=True, sort_keys=False),
    "yaml": lambda rows: yaml.safe_dump(rows, default_flow_style=True),
    "json": lambda rows: json.dumps(rows, indent=1),
}


@pytest.fixture
def read(tmp_path):
    def read_text(form, content, **options):
        path = tmp_path / f"table.{form}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        table = _acp_table.read(str(path), ASPS, **options)
        return table._replace(errors=[line.replace(f"{tmp_path}/", "") for line in table.errors])
    return read_text


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_the_same(read, form):
    table, data = read(form, FORMS[form](ROWS)), _acp_table.read(ROWS, ASPS)
    assert (table.errors, data.errors) == ([], [])
    assert table.lines == data.lines == [
        "00030001525400123456 2001:db8:1::/56 198.51.100.32/28\n", "00030001525400123457 2001:db8:2::/64\n"]
    assert [row.name for row in table.rows] == ["c1", ""]


duids = st.binary(min_size=1, max_size=8).map(lambda tail: "00030001" + tail.hex())
names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"], exclude_characters="\x85"), max_size=8)
owners = st.lists(st.tuples(duids, st.integers(1, 3), names), max_size=8, unique_by=lambda owner: owner[0])


@settings(deadline=None, max_examples=60)
@given(owners=owners, form=st.sampled_from(sorted(FORMS)))
def test_what_is_written_is_read_again(tmp_path_factory, owners, form):
    rows, count = [], 0
    for client_id, acps, name in owners:
        prefixes = [Prefix((0x20010DB8 << 96) | (count + n) << 72, 56) for n in range(acps)]
        count += acps
        rows.append({"client_id": colons(client_id), "acps": [str(acp) for acp in prefixes], "name": name})
    path = tmp_path_factory.getbasetemp() / f"again.{form}"
    path.write_text(FORMS[form](rows), newline="")
    table = _acp_table.read(str(path), ASPS)
    assert table.errors == []
    assert [(colons(row.client_id), list(map(str, row.acps)), row.name) for row in table.rows] == [
        (row["client_id"], row["acps"], " ".join(row["name"].split())) for row in rows]


def test_yaml_is_taken_by_its_letters(read):
    """As values of YAML 1.1, DUIDs without quotes may be numbers."""
    table = read("yml", "# the table\n---\n- {client_id: 00030001525400123456, acps: 2001:db8:1::/56, name: ~}\n"
                 "- acps: &a\n  - 2001:db8:2::/56\n  - 198.51.100.32/28\n  client_id: 0x00030001525400123457\n  key:\n")
    assert table.errors == []
    assert [(row.client_id, row.line, row.name) for row in table.rows] == [
        ("00030001525400123456", 3, ""), ("00030001525400123457", 4, "")]


@pytest.mark.parametrize("empty", ["[]", "[ ]\n"])
@pytest.mark.parametrize("form", ["yml", "json"])
def test_a_table_without_rows(read, form, empty):
    assert read(form, empty)[:2] == ([], [])


def test_mistakes_in_yaml(read):
    table = read("yml", f"""
- client_id: {DUID}
  acps:
    - 2001:db8:1::/56
    - [2001:db8:2::/56]
- just a text
- client_id: {OTHER}
  acp: 2001:db8:3::/56
- client_id: {OTHER}
  client_id: {DUID}
  acps: 2001:db8:4::/56
- client_id: [{OTHER}]
  acps: *other
-
  comment: {{deep: [1, {{2: 3}}]}}
  client_id: {OTHER}
  acps: 2001:db8:5::1/56
  ? [1, 2]
  : 3
""")
    assert [line.partition(": ")[0] + ": " + line.split(": ")[1] + ": " + line.split(": ")[2] for line in table.errors] == [
        "table.yml:5: acps = [2001:db8:2::/56]: not a text; allowed",
        "table.yml:6: row = just a text: not a dictionary; allowed",
        "table.yml:7: column = acp: unknown; did you mean acps? allowed",
        "table.yml:7: column = acps: missing; allowed",
        "table.yml:10: column = client_id: there twice; allowed",
        "table.yml:12: client_id = [00:03:00:01:52:54:00:12:34:57]: not a text; allowed",
        "table.yml:13: acps = *other: not a text; allowed",
        "table.yml:15: comment = {deep: [1, {2",
    ]


@pytest.mark.parametrize(("form", "content", "error"), [
    ("yml", "", ""),
    ("yml", "a: b\n", f"table.yml:1: text = a: b: no list; {LIST}"),
    ("yml", "\n\ntext\n", f"table.yml:3: text = text: no list; {LIST}"),
    ("yml", "- {client_id: x\n- acps", f"table.yml:3: text = : not YAML: did not find expected ',' or '}}'; {LIST}"),
    ("yml", "[]\n---\n[]\n", f"table.yml:2: text = ---: a second document; {LIST}"),
    ("json", "", f"table.json:1: text = : no list; {LIST}"),
    ("json", '{"a": 1}', f'table.json:1: text = {{"a": 1}}: no list; {LIST}'),
    ("json", "[\n[],\n1]", f"table.json:2: row = []: not a dictionary; {LIST}\n"
     f"table.json:3: row = 1: not a dictionary; {LIST}"),
    ("json", '[\n{"client_id": "x",}\n]', "table.json:2: text = }: not JSON: Expecting property name enclosed in "
     f"double quotes; {LIST}"),
    ("json", "[\n\n1\n2]", f"table.json:3: row = 1: not a dictionary; {LIST}\n"
     f"table.json:4: text = 2]: not JSON: no ] where a , or ] must be; {LIST}"),
    ("json", "[]\nx", f"table.json:2: text = x: not JSON: text after the end of the list; {LIST}"),
    ("json", '[{"acps": "x", "acps": "y"}]', "table.json:1: column = acps: there twice; allowed: each column once"),
    ("json", '[\n{"client_id": 3, "acps": {}}\n]', "table.json:2: acps = {}: neither a text nor a list of texts; "
     "allowed: one or more prefixes\ntable.json:2: client_id = 3: not a text; allowed: the DUID as a text, in quotes"),
    ("json", '[\n{"client_id": "x", "acps": [], "key": 5, "names": 1}\n]',
     "table.json:2: column = names: unknown; did you mean name? allowed: client_id, acps, name, key, comment"),
])
def test_mistake_of_a_form(read, form, content, error):
    assert "\n".join(read(form, content).errors) == error


def test_lines_of_json(read):
    table = read("json", f"""[
  {{"client_id": "{DUID}",
    "acps": ["2001:db8:1::/56"]}}, {{"client_id": "zz", "acps": "2001:db8:2::/56"}},

  {{
    "client_id": "{OTHER}",
    "acps": "2001:db8:1::/56"
  }}
]""")
    assert [line.split(": ")[0] for line in table.errors] == ["table.json:3", "table.json:5"]
    assert table.errors[1].endswith("2001:db8:1::/56: already on line 2; allowed: each address in one ACP only")


def test_mistakes_in_data_are_named_by_position():
    rows = [*ROWS, {"client_id": DUID, "acps": ["2001:db8:1::/56", "auto/64"]}, "text", {"acps": 1}]
    assert _acp_table.read(rows, ASPS).errors == [
        "aero_acp_table[2]: acps = 2001:db8:1::/56: already in [0]; allowed: each address in one ACP only",
        "aero_acp_table[2]: acps = auto/64: in data nothing can be written back; allowed: a prefix",
        f"aero_acp_table[2]: client_id = {DUID}: already in [0]; allowed: one row for a Client",
        f"aero_acp_table[3]: row = text: not a dictionary; {LIST}",
        "aero_acp_table[4]: column = client_id: missing; allowed: client_id and acps in every row"]


def test_keys_in_data_are_never_shown():
    key = "0123456789abcdef" * 2
    rows = [{"client_id": DUID, "acps": "2001:db8:1::/56", "key": key}, {"client_id": key, "acps": [key], "key": 7},
            {"client_id": OTHER, "acps": "2001:db8:2::/56", "key": key[1:]}]
    table = _acp_table.read(rows, ASPS)
    assert table.keys == {DUID.replace(":", ""): key}
    assert len(table.errors) == 4 and key[1:] not in "".join(table.errors)
