# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has no key gets nothing, and nobody but the daemon can read one."""

from __future__ import annotations

from tests.lab.door import aeroctl, on_node, run_playbook
from tests.lab.other_client import ask, prefixes
from tests.lab.other_table import other_table

DUID, ACP = "000200007ed900000107", "2001:db8:2004::/48"  # client7 of inventories/lab
KEY = "5ec2e7" * 8
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


def test_a_client_with_a_key_of_its_own_in_the_table():
    """enroll.yml brings it, no daemon starts anew, and nobody else can read it."""

    def with_key(lines: list[str]) -> list[str]:
        rows = [line if line.startswith("#") else f"{line},{KEY if ACP in line else ''}" for line in lines]
        return [f"{lines[0]},key", *rows[1:]]

    before = on_node("s1", AEROD)
    with other_table(with_key) as inventory:
        run = run_playbook("enroll", "--diff", inventory=inventory)
        assert run.changed.keys() >= {"s1", "s2"} and KEY not in run.output
        assert run_playbook("enroll", inventory=inventory).changed == {}
        assert prefixes(ask("solicit", DUID, sign=False, key=KEY)) == [ACP]
        assert ask("solicit", DUID) is None, "the key that follows from the secret is no longer its own"
    assert prefixes(ask("solicit", DUID)) == [ACP]
    assert on_node("s1", AEROD) == before
    assert on_node("s1", "stat -c '%U %a' /etc/aero/client_keys").split() == ["aero", "400"]
