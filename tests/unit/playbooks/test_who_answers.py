# SPDX-License-Identifier: GPL-3.0-or-later
"""Which plays go on when some hosts do not answer, or fail."""

from __future__ import annotations

import pytest

RELAYS, SERVERS, CLIENTS = {"relay1", "relay2"}, {"server1", "server2"}, {"client1", "client2"}
CHECK = "Check every host before anything is changed on any"
BUILT = {"Name servers": {"ns1"}, "Relays": RELAYS, "Servers": SERVERS, "Clients": CLIENTS}
PUBLISH = "Publish the names of the link"


def names(hosts: set[str]) -> str:
    return " ".join(sorted(hosts))


def built(run) -> set[str]:
    return set.union(*map(run.did, BUILT))


def test_all_answer(link):
    run = link.run("site")
    assert run.code == 0, run.output
    assert {play: run.did(play) for play in BUILT} == BUILT
    assert run.did(PUBLISH)


@pytest.mark.parametrize("silent", [
    {"relay1"}, {"ns1"}, {"server2"}, SERVERS, RELAYS | SERVERS | {"ns1"}, {"relay1", "client1"},
    RELAYS | SERVERS | CLIENTS, RELAYS | SERVERS | CLIENTS | {"ns1"},
], ids=names)  # fmt: skip
def test_nothing_is_changed_unless_all_but_clients_answer(link, silent):
    run = link.run("site", silent=silent)
    assert run.code != 0
    assert (built(run), run.did(PUBLISH)) == (set(), set()), run.output


def test_those_that_are_needed_and_do_not_answer_are_told(link):
    run = link.run("site", silent=("ns1", "server2", "client1"))
    assert "No answer from: ns1, server2." in run.text, run.output


@pytest.mark.parametrize("silent", [{"client1"}, {"client2"}, CLIENTS], ids=names)
def test_a_client_that_does_not_answer_keeps_nobody_back(link, silent):
    run = link.run("site", silent=silent)
    assert built(run) == {"ns1"} | RELAYS | SERVERS | CLIENTS - silent, run.output
    assert run.did(PUBLISH)
    assert run.code != 0, "it is told"


@pytest.mark.parametrize("bad", ["client1", "relay2", "ns1"])
def test_a_host_that_fails_the_check_stops_the_run(link, bad):
    run = link.run("site", silent=("client2",), failing={CHECK: [bad]})
    assert (run.code != 0, built(run)) == (True, set()), run.output


def test_only_those_of_the_limit_must_answer(link):
    run = link.run("site", "--limit", "relay1", silent=("relay2", "server1"))
    assert (run.code, built(run)) == (0, {"relay1"}), run.output


@pytest.mark.parametrize("failing", ["server1", "server2"])
def test_no_names_for_servers_that_were_not_built(link, failing):
    run = link.run("site", failing={"Servers": [failing]})
    assert (run.did("Clients"), run.did(PUBLISH)) == (set(), set()), run.output


@pytest.mark.parametrize("silent", [{"server1"}, {"server2"}, SERVERS], ids=names)
@pytest.mark.parametrize("step", ["begin", "end"])
def test_no_client_gets_a_key_that_a_server_may_not_know(link, silent, step):
    run = link.run("rotate_keys", "-e", f"rotation={step}", silent=silent)
    assert (run.code != 0, run.did("Clients change to the new key")) == (True, set()), run.output


def test_a_client_that_does_not_answer_changes_its_key_later(link):
    run = link.run("rotate_keys", silent=("client1",))
    assert run.did("Clients change to the new key") == {"client2"}, run.output


@pytest.mark.parametrize("limit", ["client1", "server1"])
def test_enroll_refuses_to_leave_servers_out_before_it_writes_anything(link, limit):
    table = link.inventory.folder / "group_vars" / "aero" / "acp_table.csv"
    text = table.read_text() + "00:03:00:01:52:54:00:00:20:01,auto/56,van 17,\n"
    table.write_text(text)
    run = link.run("enroll", "--limit", limit)
    assert (run.code != 0, table.read_text() == text) == (True, True), run.output
    assert "would leave the old table on" in run.text
    assert "would leave the old table on" not in link.run("enroll", "--limit", limit, "--check").text


def test_enroll_can_allocate_before_there_are_servers(link):
    table = link.inventory.folder / "group_vars" / "aero" / "acp_table.csv"
    table.write_text(table.read_text() + "00:03:00:01:52:54:00:00:20:01,auto/56,van 17,\n")
    run = link.run("enroll", "--tags", "allocate", silent=SERVERS)
    assert run.code == 0, run.output
    assert ",auto/56," not in table.read_text()
