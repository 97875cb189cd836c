# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has no key gets nothing, and nobody but the daemon can read one."""

from __future__ import annotations

import pytest

from tests.lab.door import aeroctl, attach_anew, on_node, run_playbook
from tests.lab.other_client import ask, prefixes
from tests.lab.other_table import other_table

C1_ACP = "2001:db8:1000:2000::/56"
DUID, ACP = "000200007ed900000107", "2001:db8:2004::/48"  # client7 of inventories/lab
KEYS = {ACP: "5ec2e7" * 8, C1_ACP: "c1c1c1" * 8}
AEROD = "systemctl show -p MainPID,ActiveEnterTimestampMonotonic aerod"


def test_a_client_id_without_its_key_gets_no_answer():
    """c1's, by somebody who has only read it somewhere."""
    before = aeroctl("s1", "counters").get("drop_auth_missing", 0)
    duid = aeroctl("s1", "leases")[0]["client_id"]
    assert ask("solicit", duid, rapid_commit=True, sign=False) is None
    assert aeroctl("s1", "counters")["drop_auth_missing"] == before + 1


def test_all_clients_use_the_newest_key():
    status = aeroctl("s1", "status")["authentication"]
    assert (status["mode"], status["keys"], set(status["clients_by_key"])) == ("psk", [1], {"1"})


def test_only_the_daemon_may_read_its_keys():
    for node in ("s1", "c1"):
        assert on_node(node, "stat -c '%U %a' /etc/aero/dhcp_keys").split() == ["aero", "400"]


def with_keys(lines: list[str]) -> list[str]:
    """The rows of a table, c1 and client7 with keys of their own."""
    heading, *rows = lines
    return [f"{heading},key", *(row if row.startswith("#") else f"{row},{key_of(row)}" for row in rows)]


def key_of(row: str) -> str:
    return next((key for acp, key in KEYS.items() if acp in row), "")


@pytest.fixture
def key_as_before():
    """For c1, whose own key is worth nothing once the table is the lab's again."""
    yield
    run_playbook("site", "--limit", "c1")
    attach_anew("c1")


@pytest.mark.usefixtures("key_as_before")
def test_clients_with_keys_of_their_own_in_the_table():
    """enroll.yml brings them to the Servers, site.yml to c1; no daemon starts anew, and nobody else can read them."""
    before = {node: on_node(node, AEROD) for node in ("s1", "c1")}
    with other_table(with_keys) as inventory:
        run = run_playbook("enroll", "--diff", inventory=inventory)
        assert run.changed.keys() >= {"s1", "s2"}
        assert run_playbook("enroll", inventory=inventory).changed == {}
        assert prefixes(ask("solicit", DUID, sign=False, key=KEYS[ACP])) == [ACP]
        assert ask("solicit", DUID) is None, "the key that follows from the secret is no longer its own"
        site = run_playbook("site", "--limit", "c1", "--diff", inventory=inventory)
        assert site.changed.keys() == {"c1"}
        assert not any(key in run.output + site.output for key in KEYS.values())
        assert {node: on_node(node, AEROD) for node in before} == before
        attach_anew("c1")
    assert prefixes(ask("solicit", DUID)) == [ACP]
    assert on_node("s1", "stat -c '%U %a' /etc/aero/client_keys").split() == ["aero", "400"]
