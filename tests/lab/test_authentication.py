# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has no key gets nothing, and nobody but the daemon can read one."""

from __future__ import annotations

from tests.lab.door import aeroctl, on_node
from tests.lab.other_client import ask


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
