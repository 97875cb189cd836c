# SPDX-License-Identifier: GPL-3.0-or-later
"""Allocating the ACPs a table asks for: what is written into it and into its ledger, whatever happens."""

from __future__ import annotations

import contextlib
import datetime
import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from ansible_collections.aero.link.plugins.module_utils import _acp_enrolment, _acp_ledger, _acp_table
from ansible_collections.aero.link.plugins.module_utils._prefixes import overlaps, parse_prefix
from hypothesis import given, settings
from hypothesis import strategies as st

ASPS = (parse_prefix("2001:db8::/32"), parse_prefix("198.51.100.0/24"))
DAY = datetime.date(2026, 11, 22)
IDS = [f"00030001{n:012x}" for n in range(8)]


class Site:
    """A table in a folder, and runs of enrolment on certain days."""

    def __init__(self, folder, name="table.csv"):
        self.path = str(folder / name)
        self.ledger = folder / f"{name}.ledger.csv"

    def write(self, text):
        with open(self.path, "wb") as file:
            file.write(text.encode())
        return self

    def rows(self, *acps):
        return self.write("client_id,acps\n" + "".join(f"{IDS[n]},{text}\n" for n, text in enumerate(acps) if text))

    @property
    def text(self):
        with open(self.path, "rb") as file:
            return file.read().decode()

    @property
    def acps(self):
        return [line.split(",")[1] for line in self.text.splitlines()[1:]]

    def run(self, day=0, quarantine=30, asps=ASPS):
        found = self.plan(day, quarantine, asps)
        assert found.errors == []
        _acp_enrolment.write(self.path, found)
        return found

    def plan(self, day=0, quarantine=30, asps=ASPS):
        return _acp_enrolment.allocate(self.path, asps, quarantine, DAY + datetime.timedelta(days=day))


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_lowest_free_prefixes_in_the_order_of_the_file(site):
    site.rows("auto/56 auto4/28", "2001:db8::/56", "auto/64 2001:db8:0:200::/56 auto/56")
    found = site.run()
    assert site.acps == ["2001:db8:0:100::/56 198.51.100.0/28", "2001:db8::/56",
                         "2001:db8:0:300::/64 2001:db8:0:200::/56 2001:db8:0:400::/56"]
    assert [(wish.client_id, wish.line, str(prefix)) for wish, prefix in found.given] == [
        (IDS[0], 2, "2001:db8:0:100::/56"), (IDS[0], 2, "198.51.100.0/28"),
        (IDS[2], 4, "2001:db8:0:300::/64"), (IDS[2], 4, "2001:db8:0:400::/56")]
    assert found.table.lines == _acp_table.read(site.path, ASPS).lines


def test_a_second_run_changes_nothing(site):
    site.rows("auto/56").run()
    found = site.plan(day=1)
    assert (found.text, found.ledger_text, found.given) == (None, None, [])


@pytest.mark.parametrize(("name", "before", "after"), [
    ("t.csv", '\ufeff# auto/56 here\r\n"name", acps,comment,client_id\r\n"a ""auto/56""", " auto/56  auto4/28",auto/56,0003000101\r\n'
              '\r\n#end', '\ufeff# auto/56 here\r\n"name", acps,comment,client_id\r\n"a ""auto/56""", " 2001:db8::/56  198.51.100.0/28",auto/56,'
              '0003000101\r\n\r\n#end'),
    ("t.yml", "# auto/56\n- name: ü auto/56\n  acps:   # auto/56\n  - 'auto/56 auto4/28'\n  - auto/64   # why\n  client_id: '0003000101'\n"
              "- {acps: >-\n   auto/56}" + "\n",
              None),
    ("t.yaml", "# auto/56\n- name: ü auto/56\n  acps:   # auto/56\n  - 'auto/56 auto4/28'\n  - auto/64   # why\n  client_id: '0003000101'\n"
               "- client_id: 0003000102\n  acps: >-\n    auto/56\n    auto/60\n",
               "# auto/56\n- name: ü auto/56\n  acps:   # auto/56\n  - '2001:db8::/56 198.51.100.0/28'\n  - 2001:db8:0:100::/64   # why\n"
               "  client_id: '0003000101'\n"
               "- client_id: 0003000102\n  acps: >-\n    2001:db8:0:200::/56\n    2001:db8:0:110::/60\n"),
    ("t.json", '[ {"name": "auto/56 \\"ü", "comment": {"acps": "auto/56"},\n "acps": ["auto/56", "198.51.100.0/28 auto/64" ],"client_id":"0003000101"}]',
               '[ {"name": "auto/56 \\"ü", "comment": {"acps": "auto/56"},\n "acps": ["2001:db8::/56", "198.51.100.0/28 2001:db8:0:100::/64" ],'
               '"client_id":"0003000101"}]'),
])
def test_the_rest_of_the_file_stays_byte_for_byte(tmp_path, name, before, after):
    site = Site(tmp_path, name).write(before)
    if after is None:
        assert site.plan().errors
        return
    site.run()
    assert site.text == after


def test_a_wish_hidden_in_an_escape_is_refused(tmp_path):
    site = Site(tmp_path, "t.json").write('[{"client_id": "0003000101", "acps": "auto\\/56"}]')
    assert site.plan().errors == [
        f"{site.path}:1: acps = auto/56: not written plainly enough to be replaced; allowed: a prefix"]


def test_lines_that_change(site):
    site.rows("auto/56 auto/56", "2001:db8::/56", "auto/64")
    assert list(site.plan().lines) == [
        (f"{IDS[0]},auto/56 auto/56\n", f"{IDS[0]},2001:db8:0:100::/56 2001:db8:0:200::/56\n"),
        (f"{IDS[2]},auto/64\n", f"{IDS[2]},2001:db8:0:300::/64\n")]


def test_what_was_given_up_rests(site):
    site.rows("auto/56", "auto/56").run()
    site.rows("", "2001:db8:0:100::/56", "auto/56").run(day=1)
    assert site.acps == ["2001:db8:0:100::/56", "2001:db8:0:200::/56"]
    assert f"2001:db8::/56,{IDS[0]},2026-11-23\n" in site.ledger.read_text()
    site.rows("", "2001:db8:0:100::/56", "2001:db8:0:200::/56", "auto/56").run(day=30)
    assert site.acps[-1] == "2001:db8:0:300::/56"
    site.rows("", "2001:db8:0:100::/56", "2001:db8:0:200::/56", "2001:db8:0:300::/56", "auto/56").run(day=31)
    assert site.acps[-1] == "2001:db8::/56"


def test_what_is_put_into_the_table_by_hand_may_rest(site):
    site.rows("auto/56").run()
    site.rows("", "auto/56").run()
    site.rows("", "2001:db8:0:100::/56", "2001:db8::/60").run()
    assert "2001:db8::/60" in site.ledger.read_text()


def test_without_quarantine_it_is_used_again_at_once(site):
    site.rows("auto/56").run()
    site.rows("", "auto/56").run(quarantine=0)
    assert site.acps == ["2001:db8::/56"]


def test_all_wishes_that_cannot_be_fulfilled_are_named_and_nothing_is_written(site):
    site.rows("auto4/25").run(asps=ASPS[1:])
    site.rows("", "auto4/24", "auto4/25", "auto4/25", "auto/56")
    before = site.text
    found = site.plan(asps=ASPS[1:])
    resting = " (1 prefixes wait for the end of their quarantine)"
    assert found.errors == [
        f"{site.path}:2: acps = auto4/24: none of that length is free{resting}; "
        "allowed: a length that the IPv4 ASPs have room for",
        f"{site.path}:4: acps = auto4/25: none of that length is free{resting}; "
        "allowed: a length that the IPv4 ASPs have room for",
        f"{site.path}:5: acps = auto/56: none of that length is free; "
        "allowed: a length that the IPv6 ASPs have room for"]
    assert (found.text, site.text) == (None, before)


def test_other_mistakes_stop_the_allocation(site):
    site.rows("auto/56", "2001:db9::/56")
    found = site.plan()
    assert (found.text, found.given, len(found.errors)) == (None, (), 1)


def test_a_run_that_was_cut_off_is_completed_with_the_same_prefixes(site, monkeypatch):
    site.rows("auto/56", "auto/56")
    found = site.plan()
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: replace(old, new) if new.endswith(".ledger.csv") else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _acp_enrolment.write(site.path, found)
    monkeypatch.undo()
    assert site.acps == ["auto/56"] * 2 and site.ledger.exists()
    assert sorted(os.listdir(site.ledger.parent)) == ["table.csv", "table.csv.ledger.csv"]
    site.write(site.text.replace("\n", f"\n{IDS[7]},auto/56\n", 1)).run(day=2)
    assert site.acps == ["2001:db8:0:200::/56", "2001:db8::/56", "2001:db8:0:100::/56"]


def test_what_the_ledger_keeps_for_a_client_is_not_given_if_it_overlaps(site):
    site.rows("auto/56").run()
    site.rows("auto/56", "2001:db8::/64").run()
    assert site.acps == ["2001:db8:0:100::/56", "2001:db8::/64"]


@pytest.mark.parametrize(("line", "error"), [
    ("2001:db8::1/56,0003000101,", "prefix = 2001:db8::1/56: has bits set"),
    ("2001:db8::/56,0003000101", "line = 2001:db8::/56,0003000101: no entry"),
    ("2001:db8::/56,0003000101,soon", "line = 2001:db8::/56,0003000101,soon: no entry"),
])
def test_a_spoilt_ledger_is_refused(site, line, error):
    site.rows("auto/56")
    site.ledger.write_text(f"prefix,client_id,freed_on\n{line}\n")
    assert [text.startswith(f"{site.ledger}:2: {error}") for text in site.plan().errors] == [True]


def test_a_table_that_changes_meanwhile_is_not_overwritten(site):
    site.rows("auto/56")
    found = site.plan()
    site.rows("auto/56", "auto/64")
    with pytest.raises(_acp_enrolment.Changed):
        _acp_enrolment.write(site.path, found)
    assert site.acps == ["auto/56", "auto/64"]


def test_mode_and_link_of_the_file_stay(tmp_path):
    real, link = Site(tmp_path, "real.csv").rows("auto/56"), Site(tmp_path, "link.csv")
    os.chmod(real.path, 0o640)
    os.symlink("real.csv", link.path)
    link.run()
    assert os.path.islink(link.path) and real.acps == ["2001:db8::/56"]
    assert os.stat(real.path).st_mode & 0o777 == link.ledger.stat().st_mode & 0o777 == 0o640


def _enrol(path, started, results):
    started.wait()
    with _acp_enrolment.alone(path):
        found = _acp_enrolment.allocate(path, ASPS, 30, DAY)
        _acp_enrolment.write(path, found)
    results.put(len(found.given))


def test_runs_at_the_same_time_wait_for_each_other(site):
    site.rows(*["auto/56"] * 8)
    context = multiprocessing.get_context("fork")
    started, results = context.Event(), context.Queue()
    runs = [context.Process(target=_enrol, args=(site.path, started, results)) for _run in range(4)]
    for run in runs:
        run.start()
    started.set()
    counts = sorted(results.get(timeout=60) for _run in runs)
    for run in runs:
        run.join()
    assert counts == [0, 0, 0, 8]


def test_a_lock_on_a_file_that_was_replaced_is_none(site):
    site.rows("2001:db8::/56")
    entered = threading.Event()

    def enter():
        with _acp_enrolment.alone(site.path):
            entered.set()

    waiting = threading.Thread(target=enter)
    with contextlib.ExitStack() as second:
        with _acp_enrolment.alone(site.path):
            waiting.start()
            # Until it waits for the lock; /proc/locks marks who does by an arrow.
            inode = f":{os.stat(site.path).st_ino} "
            while not any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()):
                waiting.join(0.01)
            os.replace(Site(site.ledger.parent, "new.csv").rows("2001:db8::/56").path, site.path)
            second.enter_context(_acp_enrolment.alone(site.path))
        assert not entered.wait(0.5)
    assert entered.wait(60)
    waiting.join()


# A few Clients of a tiny link come, go and change their minds, day after day.
days = st.lists(st.tuples(
    st.dictionaries(st.integers(0, 7), st.lists(st.sampled_from(["auto4/28", "auto4/27", "auto4/30"]), min_size=1, max_size=3)),
    st.sets(st.integers(0, 7)), st.integers(0, 20)), max_size=8)


@settings(deadline=None, max_examples=60)
@given(days)
def test_whoever_comes_and_goes_no_prefix_overlaps_or_is_used_too_soon(tmp_path_factory, days):
    site = Site(tmp_path_factory.mktemp("site"))
    has, left, today = {}, [], 0
    for coming, going, later in days:
        today += later
        for client in going & has.keys():
            left += [(IDS[client], parse_prefix(acp), today) for acp in has.pop(client).split()]
        wanted = {client: " ".join(filter(None, [has.get(client), *wishes])) for client, wishes in coming.items()}
        site.rows(*({**has, **wanted}.get(n) for n in range(8)))
        one, other = site.plan(today), site.plan(today)
        assert one == other
        if one.errors:
            site.rows(*(has.get(n) for n in range(8))).run(today)
            continue
        _acp_enrolment.write(site.path, one)
        has = {IDS.index(line.split(",")[0]): line.split(",")[1] for line in site.text.splitlines()[1:]}
        owned = [parse_prefix(acp) for acps in has.values() for acp in acps.split()]
        assert not list(overlaps(owned))
        for wish, prefix in one.given:
            resting = {old for client, old, day in left if today - day < 30 and client != wish.client_id}
            assert not [old for old in resting if old.covers(prefix) or prefix.covers(old)]
        ledger, errors = _acp_ledger.parse("ledger", site.ledger.read_text())
        assert errors == [] and {prefix for prefix, entry in ledger.items() if not entry.freed_on} == set(owned)
