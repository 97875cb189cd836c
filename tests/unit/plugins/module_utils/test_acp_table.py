# SPDX-License-Identifier: GPL-3.0-or-later
"""The ACP table: what is read from it, and one test for each mistake there can be in it."""

from __future__ import annotations

import time

import pytest
from ansible_collections.aero.link.plugins.module_utils import _acp_table
from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_prefix

ASPS = (parse_prefix("2001:db8::/32"), parse_prefix("198.51.100.0/24"))
HEADER = "client_id,acps,name,comment\n"
DUID = "00:03:00:01:52:54:00:12:34:56"
OTHER = "00:03:00:01:52:54:00:12:34:57"
FORMS = "allowed: a DUID in hexadecimal, with or without colons, such as 00:03:00:01:52:54:00:12:34:56"


@pytest.fixture
def read(tmp_path):
    """Read a table of this content; lines of errors are without the folder."""
    def read_text(content, asps=ASPS):
        path = tmp_path / "acp_table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        table = _acp_table.read(str(path), asps)
        return table._replace(errors=[line.replace(f"{tmp_path}/", "") for line in table.errors])
    return read_text


def test_rows_with_comments_blank_lines_quotes_and_windows_line_ends(read):
    table = read(b"\xef\xbb\xbf# the table\r\n\r\nclient_id,acps,name,comment\r\n"
                 b"00:03:00:01:52:54:00:12:34:AB, 2001:db8:1::/56   198.51.100.32/28 ,c1,\"a, b\"\r\n"
                 b"# more\n00041f8a3c5e6b7d49209abcdef012345678,2001:db8:2::/64,,\n")
    assert table.errors == []
    assert [(row.client_id, [str(acp) for acp in row.acps], row.line) for row in table.rows] == [
        ("000300015254001234ab", ["2001:db8:1::/56", "198.51.100.32/28"], 4),
        ("00041f8a3c5e6b7d49209abcdef012345678", ["2001:db8:2::/64"], 6),
    ]


def test_hash_is_of_the_content_only(read):
    one = read(f"{HEADER}{DUID},2001:db8:1::/56,a,b\n{OTHER},2001:db8:2::/56,,\n")
    bare = DUID.replace(":", "").upper()
    same = read(f"{HEADER}\n# {DUID}\n{OTHER},2001:0db8:2::/56,x,y\n{bare},2001:db8:1::/56,,\n")
    other = read(f"{HEADER}{DUID},2001:db8:1::/56,a,b\n{OTHER},2001:db8:3::/56,,\n")
    assert one.sha256 == same.sha256 != other.sha256


def test_order_of_the_acps_of_a_client_counts(read):
    """Their position is their IAID."""
    one = read(f"{HEADER}{DUID},2001:db8:1::/56 2001:db8:2::/56,,\n")
    turned = read(f"{HEADER}{DUID},2001:db8:2::/56 2001:db8:1::/56,,\n")
    assert one.sha256 != turned.sha256


@pytest.mark.parametrize(("row", "error"), [
    ("00:03:00:01:52:54:00:12:34:5g,2001:db8:1::/56,,",
     f"client_id = 00:03:00:01:52:54:00:12:34:5g: not hexadecimal bytes; {FORMS}"),
    ("0003000152540012345,2001:db8:1::/56,,",
     f"client_id = 0003000152540012345: not hexadecimal bytes; {FORMS}"),
    ("00:03:0:01:52:54:00:12:34:56,2001:db8:1::/56,,",
     f"client_id = 00:03:0:01:52:54:00:12:34:56: not pairs of hexadecimal digits; {FORMS}"),
    (",2001:db8:1::/56,,", f"client_id = : not hexadecimal bytes; {FORMS}"),
    ("52:54:00:12:34:56,2001:db8:1::/56,,",
     "client_id = 52:54:00:12:34:56: begins with no DUID type from 0001 to 0004 "
     f"(a MAC address? then it is 00:03:00:01:52:54:00:12:34:56); {FORMS}"),
    ("00:04:52:54,2001:db8:1::/56,,",
     f"client_id = 00:04:52:54: a DUID of this type has 18 bytes, not 4; {FORMS}"),
    ("00:03:00:01,2001:db8:1::/56,,",
     f"client_id = 00:03:00:01: a DUID of this type has 5 to 130 bytes, not 4; {FORMS}"),
    (f"{DUID},2001:db8:1::1/56,,",
     "acps = 2001:db8:1::1/56: has bits set to the right of its length; allowed: 2001:db8:1::/56"),
    (f"{DUID},198.51.100.33/28,,",
     "acps = 198.51.100.33/28: has bits set to the right of its length; allowed: 198.51.100.32/28"),
    (f"{DUID},2001:db8:1::/65,,",
     "acps = 2001:db8:1::/65: IPv6 ACP longer than /64; allowed: /64 or shorter"),
    (f"{DUID},2001:db9::/56,,", "acps = 2001:db9::/56: in none of the link's ASPs; "
     "allowed: prefixes inside 198.51.100.0/24, 2001:db8::/32"),
    (f"{DUID},2001::/16,,", "acps = 2001::/16: in none of the link's ASPs; "
     "allowed: prefixes inside 198.51.100.0/24, 2001:db8::/32"),
    (f"{DUID},192.0.2.0/28,,", "acps = 192.0.2.0/28: in none of the link's ASPs; "
     "allowed: prefixes inside 198.51.100.0/24, 2001:db8::/32"),
    (f"{DUID},2001:db8:1::/56;2001:db8:2::/56,,", "acps = 2001:db8:1::/56;2001:db8:2::/56: not a prefix; "
     "allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    (f"{DUID},,c1,", "acps = : no ACP; allowed: one or more prefixes with spaces between"),
    (f"{DUID},2001:db8:1::/56,c1", f"line = {DUID},2001:db8:1::/56,c1: 3 columns; allowed: 4 "
     "(client_id,acps,name,comment), a text with commas in double quotes"),
    (f"{DUID},2001:db8:1::/56,c1,here, there", f"line = {DUID},2001:db8:1::/56,c1,here,there: 5 columns; "
     "allowed: 4 (client_id,acps,name,comment), a text with commas in double quotes"),
    (f'{DUID},2001:db8:1::/56,c1,"here', f'line = {DUID},2001:db8:1::/56,c1,"here: unexpected end of data; '
     "allowed: CSV, each row on one line"),
])
def test_mistake_in_a_row(read, row, error):
    assert read(f"{HEADER}{row}\n").errors == [f"acp_table.csv:2: {error}"]


def test_duplicate_duid_however_it_is_written(read):
    table = read(f"{HEADER}{DUID},2001:db8:1::/56,,\n{DUID.replace(':', '')},2001:db8:2::/56,,\n")
    assert table.errors == ["acp_table.csv:3: client_id = 00030001525400123456: already on line 2; "
                            "allowed: one line for a Client"]


@pytest.mark.parametrize(("first", "second", "error"), [
    ("2001:db8:1::/56", "2001:db8:1::/56", "2001:db8:1::/56: already on line 2"),
    ("2001:db8::/48", "2001:db8:0:1::/64", "2001:db8:0:1::/64: overlaps 2001:db8::/48 on line 2"),
    ("2001:db8:0:1::/64", "2001:db8::/48", "2001:db8::/48: overlaps 2001:db8:0:1::/64 on line 2"),
    ("198.51.100.0/28", "198.51.100.15/32", "198.51.100.15/32: overlaps 198.51.100.0/28 on line 2"),
    ("198.51.100.0/28", "198.51.100.8/29", "198.51.100.8/29: overlaps 198.51.100.0/28 on line 2"),
])
def test_overlapping_acps(read, first, second, error):
    """The later line is the wrong one, whichever of the two is wider."""
    table = read(f"{HEADER}{DUID},{first},,\n{OTHER},{second},,\n")
    assert table.errors == [f"acp_table.csv:3: acps = {error}; allowed: each address in one ACP only"]


def test_acp_twice_at_one_client(read):
    assert read(f"{HEADER}{DUID},2001:db8:1::/56 2001:db8:1::/56,,\n").errors == [
        "acp_table.csv:2: acps = 2001:db8:1::/56: already on line 2; allowed: each address in one ACP only"]


def test_all_mistakes_at_once_in_the_order_of_the_lines(read):
    table = read(f"{HEADER}{DUID},2001:db8:1::/56,,\n{DUID},2001:db8:1::/56,,\nzz,10.0.0.0/8 nonsense,,\n")
    assert [line.split(": ")[0] for line in table.errors] == ["acp_table.csv:3"] * 2 + ["acp_table.csv:4"] * 3


@pytest.mark.parametrize("content", ["duid;acps;name\n", f"{DUID},2001:db8:1::/56,,\n"])
def test_wrong_header(read, content):
    assert read(content).errors == [
        f"acp_table.csv:1: header = {content.strip()}: wrong header; allowed: client_id,acps,name,comment"]


def test_empty_file(read):
    assert read("# nothing\n").errors == [
        "acp_table.csv:1: header = : the file has none; allowed: client_id,acps,name,comment"]


def test_not_utf8(read):
    table = read(HEADER.encode() + f"{DUID},2001:db8:1::/56,c1,".encode() + "Zürich\n".encode("latin-1"))
    assert table.errors == [f"acp_table.csv:2: line = {DUID},2001:db8:1::/56,c1,Z\\xfcrich: "
                            "byte 51 is not UTF-8; allowed: text in UTF-8"]


def test_missing_file(tmp_path):
    path = f"{tmp_path}/none.csv"
    assert _acp_table.read(path, ASPS).errors == [
        f"{path}: cannot be read: No such file or directory; allowed: a readable CSV file"]


def test_an_asp_inside_another_is_no_trouble(read):
    nested = [parse_prefix(asp) for asp in ("2001:db8::/32", "2001:db8:1::/48", "2001:db8:ffff::/48")]
    assert read(f"{HEADER}{DUID},2001:db8:2::/56,,\n", nested).errors == []


def test_a_hundred_thousand_rows(read, record_property, capsys):
    rows = (f"00030001{n:012x},2001:db8:{n >> 8:x}:{(n & 255) << 8:x}::/56,c{n},\n" for n in range(100_000))
    content = HEADER + "".join(rows)
    started = time.perf_counter()
    table = read(content)
    digest = table.sha256
    seconds = time.perf_counter() - started
    assert (len(table.rows), len(digest), table.errors) == (100_000, 64, [])
    record_property("seconds", seconds)
    with capsys.disabled():
        print(f"\n100 000 rows read and hashed in {seconds:.2f} s")
