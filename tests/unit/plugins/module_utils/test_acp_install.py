# SPDX-License-Identifier: GPL-3.0-or-later
"""How a table comes onto a Server: only what differs travels, and nothing half done stays unnoticed."""

from __future__ import annotations

import os

import pytest
from ansible_collections.aero.link.plugins.module_utils import _acp_install as install
from ansible_collections.aero.link.plugins.module_utils import _back_end_kea as kea
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical, table_hash
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEndError

OLD = [canonical(f"00020000b0e2{number:08x}", [f"2001:db8:{number:x}::/48"]) for number in range(1, 1001)]
MOVED = canonical("00020000b0e200000007", ["2001:db8:7::/48", "198.51.100.32/28"])
CHANGED = canonical("00020000b0e200000008", ["2001:db8:8888::/48"])
NEW = canonical("00020000b0e20000ffff", ["2001:db8:9::/48"])
# Client 9 goes, and its prefix is a new Client's; 7 gets one more, 8 another one.
TABLE = [line for number, line in enumerate(OLD, start=1) if number not in (7, 8, 9)] + [MOVED, CHANGED, NEW]


class Server:
    """A back end that keeps its table in memory, and notes what it is told."""

    def __init__(self, lines=()):
        self.table, self.staged, self.told = sorted(lines), None, []
        self.switched = bool(lines)

    def lines(self):
        return self.table

    def has_table(self):
        return self.switched

    def stage(self, lines, difference):
        if any("dead" in line for line in lines):
            raise BackEndError("refused")
        self.staged = lines
        return []

    def unstage(self):
        self.staged = None

    def switch(self):
        if self.staged is not None:
            self.table, self.staged, self.switched = self.staged, None, True

    def load(self):
        self.told.append("load")

    def free(self, prefixes):
        self.told.append(prefixes)
        return []


@pytest.fixture
def record(tmp_path):
    return str(tmp_path / "record.json")


def stage(server, table, record, keep=True):
    """What the action does; returns the rows that travelled, and the difference."""
    wanted = table_hash(table)
    found = install.summary(server, wanted, record)
    buckets, bits = install.differing(table, found["buckets"])
    rows = install.in_buckets(table, buckets, bits)
    assert install.unpack(install.pack(rows)) == rows
    return rows, install.stage(server, wanted, rows, buckets, bits, keep, record)[0]


def test_equal_tables_cost_one_look(record):
    found = install.summary(Server(OLD), table_hash(OLD), record)
    assert found == {"sha256": table_hash(OLD), "rows": 1000, "buckets": [], "unfinished": False}


def test_only_the_buckets_that_differ_travel(record):
    server = Server(OLD)
    rows, difference = stage(server, TABLE, record)
    assert 3 <= len(rows) < 150
    assert difference.added == [NEW] and difference.removed == [OLD[8]]
    assert difference.changed == [(OLD[6], MOVED), (OLD[7], CHANGED)]
    assert server.table == OLD, "staged is not switched"


def test_an_empty_server_gets_all(record):
    server = Server()
    rows, difference = stage(server, TABLE, record)
    assert sorted(rows) == sorted(TABLE) == difference.added
    install.switch(server, table_hash(TABLE), record)
    assert server.table == sorted(TABLE) and server.told == ["load"]


def test_a_table_without_rows(record):
    server = Server(OLD)
    rows, difference = stage(server, [], record)
    assert rows == [] and len(difference.removed) == 1000


def test_an_empty_table_is_brought_to_a_server_that_has_none(record):
    """Or Kea has no file to include, or may not read the database, and does not start."""
    server = Server()
    assert install.summary(server, table_hash([]), record)["sha256"] == ""
    assert stage(server, [], record) == ([], ([], [], []))
    install.switch(server, table_hash([]), record)
    assert server.switched
    found = install.summary(server, table_hash([]), record)
    assert (found["sha256"], found["unfinished"]) == (table_hash([]), False)


def test_the_switch_ends_what_is_nobodys_any_more(record):
    server = Server(OLD)
    stage(server, TABLE, record)
    assert install.switch(server, table_hash(TABLE), record) == []
    assert server.table == sorted(TABLE)
    # What Client 7 keeps is not taken from it; what moved to another Client is taken from the first.
    assert server.told == ["load", ["2001:db8:9::/48", "2001:db8:8::/48"]]
    assert not os.path.exists(record)


def test_check_mode_leaves_nothing_staged(record):
    server = Server(OLD)
    stage(server, TABLE, record, keep=False)
    assert server.staged is None and not os.path.exists(record)
    with pytest.raises(BackEndError, match="nothing is staged"):
        install.switch(server, table_hash(TABLE), record)


def test_a_run_cut_off_after_the_switch_is_completed_by_the_next(record):
    server = Server(OLD)
    stage(server, TABLE, record)
    server.switch()
    assert install.summary(server, table_hash(TABLE), record)["unfinished"]
    install.switch(server, table_hash(TABLE), record)
    assert server.told[0] == "load" and len(server.told) == 2
    assert not install.summary(server, table_hash(TABLE), record)["unfinished"]


def test_a_server_that_changed_meanwhile_is_left_alone(record):
    server = Server(OLD)
    wanted = table_hash(TABLE)
    buckets, bits = install.differing(TABLE, install.summary(server, wanted, record)["buckets"])
    server.table = server.table[1:]
    if 0 in buckets:
        buckets.remove(0)
    with pytest.raises(BackEndError, match="has changed"):
        install.stage(server, wanted, install.in_buckets(TABLE, buckets, bits), buckets, bits, True, record)
    assert server.staged is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (canonical("00020000b0e20000eeee", ["2001:db8:1::/48"]), "2001:db8:1::/48 is the ACP of both"),
        (canonical("00020000b0e200000001", ["2001:db8:eeee::/48"]), "is in the table twice"),
    ],
)
def test_no_acp_and_no_client_is_there_twice(record, line, complaint):
    """dhcpd does not notice, and whoever edited a Server's table by hand may not have either."""
    table = [*OLD, line]
    with pytest.raises(BackEndError, match=complaint):
        install.stage(Server(), table_hash(table), table, [0], 0, True, record)


def test_what_is_shown_is_cut():
    difference = install.Difference(sorted(OLD), [], [(OLD[0], CHANGED)])
    shown = install.shown(difference)
    assert shown["after_header"] == "ACP table: 1000 added, 0 removed, 1 changed"
    assert shown["after"].count("\n") == 201 and shown["after"].endswith("... and 801 more\n")
    assert shown["before"] == OLD[0]


# Kea's file


def test_the_file_of_reservations_says_what_the_lines_say(tmp_path):
    (tmp_path / "etc/kea").mkdir(parents=True)
    server = kea.Kea(str(tmp_path))
    assert server.lines() == [] and not server.has_table()
    text = server.text(TABLE)
    assert '{ "duid": "00:02:00:00:b0:e2:00:00:00:07", "prefixes": ' in text
    (tmp_path / "etc/kea/aero-reservations.json").write_text(text)
    assert server.lines() == sorted(TABLE)
    (tmp_path / "etc/kea/aero-reservations.json").write_text(server.text([]))
    assert server.lines() == [] and server.has_table()


@pytest.mark.parametrize("edited", ["{ not json", '["one"]', '[{"hw-address": "02:00:00:00:00:01"}]'])
def test_an_edited_file_is_not_the_table(tmp_path, edited):
    (tmp_path / "etc/kea").mkdir(parents=True)
    (tmp_path / "etc/kea/aero-reservations.json").write_text(edited)
    assert table_hash(kea.Kea(str(tmp_path)).lines()) != table_hash(OLD)
