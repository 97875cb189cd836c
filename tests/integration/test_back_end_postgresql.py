# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts database of Kea: what is staged, refused and switched to, at a real PostgreSQL."""

from __future__ import annotations

import os
import shutil

import pytest
from ansible_collections.aero.link.plugins.module_utils import _acp_install as install
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical, difference, table_hash
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEndError

from tests.kea import bring
from tests.postgres import BackEnd, Server

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("psql"), reason="needs root and PostgreSQL"
)

OLD = [canonical(f"00020000b0e2{number:08x}", [f"2001:db8:{number:x}::/48"]) for number in range(1, 101)]
TWO = canonical("00020000b0e200000007", ["2001:db8:7::/48", "198.51.100.32/28"])
# Clients 7 and 8 swap their prefixes, 9 goes, and its prefix becomes a new Client's.
SWAPPED = [canonical("00020000b0e200000007", ["2001:db8:8::/48"]), canonical("00020000b0e200000008", ["2001:db8:7::/48"])]
NEW = canonical("00020000b0e20000ffff", ["2001:db8:9::/48", "198.51.100.48/28"])
TABLE = sorted([*OLD[:6], *SWAPPED, *OLD[9:], NEW])


@pytest.fixture(scope="module")
def server():
    server = Server()
    server.start()
    yield server
    server.destroy()


@pytest.fixture
def database(server):
    back_end = BackEnd(server)
    back_end.prepare()
    back_end._sql("DELETE FROM hosts;")
    return back_end


def test_a_server_without_the_database_has_an_empty_table(server):
    assert BackEnd(server).lines() == []


def test_a_server_that_was_stopped_has_an_empty_table(server):
    """As after another back end was chosen: a check of the way back is no error."""
    server.stop()
    assert BackEnd(server).lines() == [] and not BackEnd(server).has_table()
    server.start()


@pytest.mark.parametrize("table", [OLD, []])
def test_kea_reads_nothing_before_there_is_a_table(database, table):
    database._sql("COMMENT ON DATABASE kea_aero IS '';")
    database.prepare()
    assert not database.has_table()
    may = "SELECT has_table_privilege('_kea', 'hosts', 'SELECT'), has_table_privilege('_kea', 'hosts', 'INSERT');"
    assert database._sql(may).strip() == "f|f"
    bring(database, table)
    assert database._sql(may).strip() == "t|f" and database.has_table()


def test_the_first_table_is_loaded_and_differences_follow(database):
    bring(database, OLD)
    assert database.lines() == sorted(OLD)
    database.stage(TABLE, difference(TABLE, OLD))
    assert database.lines() == sorted(OLD), "staged is not switched"
    database.switch()
    assert database.lines() == TABLE
    bring(database, sorted([*OLD, NEW.replace("2001:db8:9::/48 ", "")]))
    bring(database, [])
    assert database.lines() == []


def test_two_acps_keep_their_order(database):
    bring(database, [TWO])
    assert database.lines() == [TWO]
    other = canonical("00020000b0e200000007", ["198.51.100.32/28", "2001:db8:7::/48"])
    bring(database, [other])
    assert database.lines() == [other]


def test_what_is_there_without_us_is_seen_and_goes(database):
    bring(database, OLD)
    database._sql("UPDATE ipv6_reservations SET prefix_len = 56 WHERE address = '2001:db8:3::';")
    database._sql("DELETE FROM ipv6_reservations WHERE address = '2001:db8:4::';")
    assert table_hash(database.lines()) != table_hash(OLD)
    bring(database, OLD)
    assert database.lines() == sorted(OLD)


def test_a_prefix_of_two_clients_is_refused_and_nothing_changes(database):
    """By the database itself: a table that the controller has not checked."""
    bring(database, OLD)
    thief = canonical("00020000b0e20000eeee", ["2001:db8:1::/48"])
    with pytest.raises(BackEndError, match="aero_one_owner"):
        database.stage([*OLD, thief], difference([*OLD, thief], OLD))
    assert database.lines() == sorted(OLD)
    database.switch()
    assert database.lines() == sorted(OLD), "what was refused is not staged any more"


@pytest.mark.parametrize("acp", ["2001:db8::g/48", "2001:db8::/129"])
def test_a_malformed_prefix_is_refused(database, acp):
    line = canonical("00020000b0e20000eeee", [acp])
    with pytest.raises(BackEndError, match="PostgreSQL"):
        database.stage([line], difference([line], []))


def test_indexes_are_all_there_after_the_first_load(database):
    before = sorted(database._sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public';").splitlines())
    bring(database, OLD)
    after = sorted(database._sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public';").splitlines())
    assert before == after and any("aero_one_owner" in line for line in after)


def test_the_phases_together(database, tmp_path):
    bring(database, OLD)
    record, wanted = str(tmp_path / "record"), table_hash(TABLE)
    found = install.summary(database, wanted, record)
    buckets, bits = install.differing(TABLE, found["buckets"])
    rows = install.in_buckets(TABLE, buckets, bits)
    assert len(rows) < len(TABLE)
    install.stage(database, wanted, rows, buckets, bits, True, record)
    assert install.switch(database, wanted, record) == []
    assert install.summary(database, wanted, record)["sha256"] == wanted


def test_a_database_of_another_kea_is_made_anew(database, monkeypatch):
    bring(database, OLD)
    database.prepare()
    assert len(database.lines()) == 100, "the same one is kept"
    database._sql("COMMENT ON DATABASE kea_aero IS 'aero.link, Kea schema 1.0';")
    database.prepare()
    assert database.lines() == []
