# SPDX-License-Identifier: GPL-3.0-or-later
"""The ACP table: what is read from it, and one test for each mistake there can be in it."""

from __future__ import annotations

import pytest
from ansible_collections.aero.link.plugins.module_utils import _acp_table
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons, parse_duid
from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_prefix

ASPS = (parse_prefix("2001:db8::/32"), parse_prefix("198.51.100.0/24"))
HEADER = "client_id,acps,name,comment\n"
DUID = "00:03:00:01:52:54:00:12:34:56"
OTHER = "00:03:00:01:52:54:00:12:34:57"
FORMS = "allowed: a DUID in hexadecimal, with or without colons, such as 00:03:00:01:52:54:00:12:34:56"
COLUMNS = "allowed: client_id,acps, and as you like name, key, comment"


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
    ("52-54-00-12-34-56,2001:db8:1::/56,,",
     "client_id = 52-54-00-12-34-56: begins with no DUID type from 0001 to 0004 "
     f"(a MAC address? then it is 00:03:00:01:52:54:00:12:34:56); {FORMS}"),
    ("00030.00152.54001.23456,2001:db8:1::/56,,",
     f"client_id = 00030.00152.54001.23456: not groups of four of hexadecimal digits; {FORMS}"),
    (f"{DUID},2001:db8::/32,,", "acps = 2001:db8::/32: an ASP itself; "
     "allowed: prefixes inside 198.51.100.0/24, 2001:db8::/32"),
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
    (f"{DUID},2001:db8:1::/56,c1,here, there", f"line = {DUID},2001:db8:1::/56,c1,here, there: 5 columns; "
     "allowed: 4 (client_id,acps,name,comment), a text with commas in double quotes"),
    (f'{DUID},2001:db8:1::/56,c1,"here', f'line = {DUID},2001:db8:1::/56,c1,"here: unexpected end of data; '
     "allowed: CSV, each row on one line"),
])
def test_mistake_in_a_row(read, row, error):
    assert read(f"{HEADER}{row}\n").errors == [f"acp_table.csv:2: {error}"]


def test_duplicate_duid_however_it_is_written(read):
    table = read(f"{HEADER}{DUID},2001:db8:1::/56,,\n{DUID.replace(':', '')},2001:db8:2::/56,,\n")
    assert table.errors == ["acp_table.csv:3: client_id = 00030001525400123456: already on line 2; "
                            "allowed: one row for a Client"]


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
        f"acp_table.csv:1: header = {content.strip()}: no header; {COLUMNS}, with commas between"]


def test_empty_file(read):
    assert read("# nothing\n").errors == [
        f"acp_table.csv:1: header = : the file has none; {COLUMNS}"]


def test_not_utf8(read):
    table = read(HEADER.encode() + f"{DUID},2001:db8:1::/56,c1,".encode() + "Zürich\n".encode("latin-1"))
    assert table.errors == [f"acp_table.csv:2: line = {DUID},2001:db8:1::/56,c1,Z\\xfcrich: "
                            "byte 51 is not UTF-8; allowed: text in UTF-8"]


def test_missing_file(tmp_path):
    path = f"{tmp_path}/none.csv"
    assert _acp_table.read(path, ASPS).errors == [
        f"{path}: cannot be read: No such file or directory; allowed: a readable file"]


def test_an_asp_inside_another_is_no_trouble_unless_an_acp_has_it_inside(read):
    nested = [parse_prefix(asp) for asp in ("2001:db8::/32", "2001:db8:1::/48", "2001:db8:ffff::/48")]
    assert read(f"{HEADER}{DUID},2001:db8:2::/56 2001:db8:1:1::/64,,\n", nested).errors == []
    assert read(f"{HEADER}{DUID},2001:db8::/44,,\n{OTHER},2001:db8:ffff::/48,,\n", nested).errors == [
        "acp_table.csv:2: acps = 2001:db8::/44: has the ASP 2001:db8:1::/48 inside; "
        "allowed: prefixes without an ASP inside",
        "acp_table.csv:3: acps = 2001:db8:ffff::/48: an ASP itself; allowed: prefixes inside 2001:db8::/32"]


@pytest.mark.parametrize("spelling", [
    "00:03:00:01:52:54:00:12:34:AB", "00-03-00-01-52-54-00-12-34-ab", "00030001525400 1234AB".replace(" ", ""),
    "0x000300015254001234ab", "0X000300015254001234AB", "0003.0001.5254.0012.34ab",
])
def test_spellings_of_a_duid(spelling):
    assert parse_duid(spelling) == "000300015254001234ab"
    assert parse_duid(colons(parse_duid(spelling))) == parse_duid(spelling)


def test_dotted_duid_with_an_odd_number_of_bytes():
    assert parse_duid("0003.0006.0011.2233.4455.6677.88") == "00030006001122334455667788"


def test_columns_in_any_order_and_optional_ones_left_out(read):
    table = read(f"name, acps ,client_id\nc1,2001:db8:1::/56,{DUID}\n,2001:db8:2::/56,{OTHER}\n")
    assert table.errors == []
    assert [(row.name, row.line) for row in table.rows] == [("c1", 2), ("", 3)]
    assert table.sha256 == read(f"client_id,acps\n{OTHER},2001:db8:2::/56\n{DUID},2001:db8:1::/56").sha256


def test_mistakes_in_the_header(read):
    assert read(f"client_id,acp,name,name\n{DUID},2001:db8:1::/56,,\n").errors == [
        "acp_table.csv:1: column = acp: unknown; did you mean acps? "
        "allowed: client_id, acps, name, key, comment",
        "acp_table.csv:1: column = acps: missing; allowed: client_id and acps in every row",
        "acp_table.csv:1: column = name: there twice; allowed: each column once"]


def test_keys_are_read_and_never_shown(read):
    key, other = "00112233445566778899AABBCCDDEEFF", "ff" * 40
    header = "client_id,acps,key\n"
    table = read(f"{header}{DUID},2001:db8:1::/56,{key}\n{OTHER},2001:db8:2::/56,\n")
    assert (table.errors, table.keys) == ([], {DUID.replace(":", ""): key.lower()})
    table = read(f"{header}{key},{other},c1\n{DUID},2001:db8:1::/56,{key}0\n{OTHER},2001:db8:2::/56,{key},{key}\n")
    assert not [line for line in table.errors if key[:8] in line or other[:8] in line]
    assert [line.split(": ")[1] for line in table.errors] == [
        "acps = (not shown)", "client_id = (not shown)", "key = (not shown)", "key = (not shown)", "line = (not shown)"]


def test_acps_that_are_to_be_allocated_are_refused_but_for_enrolment(read):
    table = read(f"{HEADER}{DUID},auto/56 auto4/28,c1,\n{OTHER},auto,,\n")
    assert table.errors == [
        "acp_table.csv:2: acps = auto/56: not allocated yet; allowed: a prefix "
        "(playbooks/enroll.yml allocates one and writes it here)",
        "acp_table.csv:2: acps = auto4/28: not allocated yet; allowed: a prefix "
        "(playbooks/enroll.yml allocates one and writes it here)",
        "acp_table.csv:3: acps = auto: not a prefix; allowed: ADDRESS/LENGTH, auto/LENGTH or auto4/LENGTH"]


def test_encrypted_file_and_file_of_another_form(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert _acp_table.read(str(path), ASPS).errors == [
        f"{path}: encrypted; allowed: plain text, or the rows as data in aero_acp_table"]
    assert _acp_table.read(f"{tmp_path}/table.xlsx", ASPS).errors == [
        f"{tmp_path}/table.xlsx: a file of an unknown form; allowed: .csv, .yml, .yaml, .json"]


MISTAKES = [
    "00:03:00:01:52:54:00:12:34:5g,2001:db8:2::/56,,",  # 4: no hexadecimal digit
    "0003000152540012345,2001:db8:3::/56,,",  # an odd digit
    "00:03:0:01:52:54:00:12:34:56,2001:db8:4::/56,,",  # a byte of one digit
    ",2001:db8:5::/56,,",  # no DUID
    "52:54:00:12:34:56,2001:db8:6::/56,,",  # a MAC address
    "00:04:52:54,2001:db8:7::/56,,",  # 9: a UUID that is too short
    "00:03:00:01,2001:db8:8::/56,,",
    "00:09:00:01:02:03:04:05,2001:db8:9::/56,,",  # no such type
    f"{DUID},2001:db8:a::/56,,",  # a Client twice
    "0003000100000000000d,2001:db8:b::1/56,,",  # bits to the right
    "0003000100000000000e,198.51.100.33/28,,",  # 14
    "0003000100000000000f,2001:db8:c::/65,,",  # too long
    "00030001000000000010,2001:db9::/56,,",  # outside the ASPs
    "00030001000000000011,2001::/16,,",  # around an ASP
    "00030001000000000012,2001:db8::/32,,",  # an ASP
    "00030001000000000013,2001:db8:d::,,",  # 19: no length
    "00030001000000000014,2001:db8:e::/129,,",
    "00030001000000000015,198.51.100.0/33,,",
    "00030001000000000016,fe80::g/64,,",  # no address
    "00030001000000000017,::ffff:198.51.100.0/120,,",
    "00030001000000000018,,c1,",  # 24: no ACP
    "00030001000000000019,2001:db8:1::/56,,",  # somebody's
    "0003000100000000001a,2001:db8:1:80::/64,,",  # inside somebody's
    "0003000100000000001b,auto/56,,",  # not allocated
    "0003000100000000001c,auto/70,,",
    "0003000100000000001d,2001:db8:f::/56,c1",  # 29: too few columns
    '0003000100000000001e,2001:db8:10::/56,"c1,',  # a quote left open
]


def test_a_table_of_many_mistakes_gives_one_readable_line_for_each(read):
    table = read(f"# the table\n{HEADER}{DUID},2001:db8:1::/56,,\n" + "".join(f"{row}\n" for row in MISTAKES))
    assert len(MISTAKES) > 25
    assert [line.split(":")[1] for line in table.errors] == [str(n) for n in range(4, 4 + len(MISTAKES))]
    assert all("; allowed: " in line and len(line) < 250 for line in table.errors)
