# SPDX-License-Identifier: GPL-3.0-or-later
"""What every DHCPv6 back end must do, in the lab with whichever it has now (AERO_LAB_BACKEND).

Spoken as Clients of the table that are no nodes, from the namespace of the spare host, which is on the core.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.door import aeroctl, on_node, run_playbook, wait_for
from tests.lab.other_client import HERE, SERVERS, ask, command, get, has_route, prefixes, release
from tests.lab.other_table import other_table

BACKEND = os.environ.get("AERO_LAB_BACKEND") or "kea"
UNITS = {"kea": "kea-dhcp6-server", "kea_postgresql": "postgresql kea-dhcp6-server", "isc": "aero-dhcpd"}
PROCESSES = {"kea": {"kea-dhcp6"}, "kea_postgresql": {"kea-dhcp6", "postgres"}, "isc": {"dhcpd"}}
ELSEWHERE = "203.0.113.43"

# From inventories/lab: DUID and ACPs.
TWO, ACP6, ACP4 = "000200007ed900000103", "2001:db8:2000::/48", "198.51.100.64/28"
ONE, ACP = "0003000102ae00000104", "2001:db8:2001::/48"
REMOVED, REMOVED_ACP = "000200007ed900000107", "2001:db8:2004::/48"
ROBBED, MOVED_ACP = "0003000102ae00000108", "2001:db8:2005::/48"
CHANGED, OLD_ACP, NEW_ACP = "000200007ed90000010b", "2001:db8:3000:200::/56", "2001:db8:3000:a00::/56"
NEWCOMER = "000200007ed9000001ff"
ROUTER_ADVERTISEMENT = "134"
NO_PREFIX_AVAIL = 6  # RFC 8415 section 21.13


def test_what_an_old_back_end_had_is_stopped():
    for server in SERVERS:
        running = set(on_node(server, "cat /proc/[0-9]*/comm 2>/dev/null", check=False).split())
        assert running & set.union(*PROCESSES.values()) == PROCESSES[BACKEND], server


def test_every_server_gives_the_same_acps():
    """An IPv6 and an IPv4 one, in two IA_PDs that hint at their lengths."""
    for server in SERVERS:
        answer = get(TWO, server, ias={"1": "/48", "2": "/124"})
        assert [ia["prefixes"] for ia in answer["ias"].values()] == [[ACP6], [ACP4]], (server, answer)
        assert has_route(server, ACP6) and has_route(server, ACP4)
        release(answer, TWO, ACP6, ACP4, server=server)


def test_an_unknown_duid_gets_nothing_and_a_clear_status():
    answer = ask("solicit", "00020000ffff99", rapid_commit=True)
    assert prefixes(answer) == []
    assert answer["ias"]["1"]["status"] == NO_PREFIX_AVAIL
    answer = ask("rebind", "00020000ffff99", ias={"1": ACP})
    assert answer is None or prefixes(answer) == []


@pytest.fixture
def no_lease() -> None:
    """What a test left to this Client, maybe with another back end, is over."""
    if has_route("s1", ACP):
        release(get(ONE), ONE, ACP)
        wait_for(lambda: not has_route("s1", ACP), "an old lease ends", 15)


def test_the_life_of_a_lease(no_lease: None):
    offer = ask("solicit", ONE)
    assert offer["type"] == "advertise" and prefixes(offer) == [ACP]
    assert not has_route("s1", ACP), "an offer is no lease"
    granted = ask("request", ONE, server_id=offer["server_id"], ias={"1": ACP})
    assert granted["type"] == "reply" and prefixes(granted) == [ACP]
    assert has_route("s1", ACP)
    assert prefixes(ask("renew", ONE, server_id=offer["server_id"], ias={"1": ACP})) == [ACP]
    assert prefixes(ask("solicit", ONE, rapid_commit=True)) == [ACP]

    # A second IAID may be refused, or get what is the Client's anyway.
    assert set(prefixes(ask("solicit", ONE, rapid_commit=True, ias={"9": ""}))) <= {ACP}

    on_node("s3", f"ip address add {ELSEWHERE}/26 dev eth0")
    try:
        assert prefixes(ask("rebind", ONE, own=ELSEWHERE, ias={"1": ACP})) == [ACP]
        leases = {lease["client_id"]: lease["link"] for lease in aeroctl("s1", "leases")}
        assert leases[ONE] == ELSEWHERE
        release(granted, ONE, ACP, own=ELSEWHERE)
    finally:
        on_node("s3", f"ip address del {ELSEWHERE}/26 dev eth0")
    wait_for(lambda: not has_route("s1", ACP), "the route of a released prefix goes", 15)


def test_leases_survive_a_restart_of_the_server():
    answer = get(ONE)
    on_node("s1", f"systemctl restart {UNITS[BACKEND]}")
    assert has_route("s1", ACP)
    renewed = {"server_id": answer["server_id"], "ias": {"1": ACP}}
    wait_for(lambda: (said := ask("renew", ONE, **renewed)) and prefixes(said) == [ACP], "a Renew is granted")


@pytest.fixture
def changed_table() -> Iterator[str]:
    """An inventory whose table takes ACPs from Clients that have leases; the lab's own comes back afterwards."""

    def changed(lines: list[str]) -> list[str]:
        kept = [line for line in lines if REMOVED_ACP not in line and MOVED_ACP not in line]
        return [line.replace(OLD_ACP, NEW_ACP) for line in kept] + [f"{NEWCOMER},{MOVED_ACP},newcomer,"]

    with other_table(changed) as inventory:
        yield inventory


def test_what_the_table_takes_away_ends_at_once(changed_table: str):
    kept = get(ONE)
    for duid in (REMOVED, ROBBED, CHANGED):
        get(duid)
    gone = (REMOVED_ACP, MOVED_ACP, OLD_ACP)
    wait_for(lambda: all(has_route("r1", acp) for acp in gone), "the Relay knows the prefixes")
    session = on_node("s1", "birdc show protocols r1 | tail -1").split()[4]
    listener = subprocess.Popen(
        command(HERE, "s1", {"type": "listen", "seconds": 60}), stdout=subprocess.PIPE, text=True
    )
    try:
        run = run_playbook("enroll", "--diff", inventory=changed_table)
        assert "1 added, 2 removed, 1 changed" in run.output, run.output
        assert run.changed.keys() >= {"s1", "s2"}
        wait_for(lambda: not any(has_route("s1", acp) for acp in gone), "the Server has no route", 15)
        wait_for(lambda: not any(has_route("r1", acp) for acp in gone), "the Relay has no route", 15)
    finally:
        listener.terminate()
    assert ROUTER_ADVERTISEMENT in listener.communicate()[0].split(), "the Clients were not told (D24)"
    assert prefixes(get(CHANGED)) == [NEW_ACP]
    assert prefixes(ask("solicit", ROBBED, rapid_commit=True)) == []
    assert prefixes(get(NEWCOMER)) == [MOVED_ACP]
    assert prefixes(ask("solicit", REMOVED, rapid_commit=True)) == []

    # Nobody else notices.
    assert prefixes(ask("renew", ONE, server_id=kept["server_id"], ias={"1": ACP})) == [ACP]
    assert on_node("s1", "birdc show protocols r1 | tail -1").split()[4] == session
    again = run_playbook("enroll", inventory=changed_table)
    assert again.changed == {} and "all have the same table" in again.output


def test_a_server_that_refuses_the_table_keeps_the_others_from_it(changed_table: str):
    before = tables()
    needed = {
        "kea": "/usr/lib/aero/kea-check",
        "kea_postgresql": "/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql",
        "isc": "/usr/sbin/dhcpd",
    }[BACKEND]
    on_node("s2", f"mv {needed} {needed}.away && printf '#!/bin/sh\\nexit 1\\n' >{needed} && chmod +x {needed}")
    try:
        run = run_playbook("enroll", inventory=changed_table, ok=False)
    finally:
        on_node("s2", f"mv {needed}.away {needed}")
    assert run.code != 0 and tables() == before
    run_playbook("enroll", "--limit", "s1", inventory=changed_table, ok=False)
    assert tables() == before, "a limited run leaves Servers out"


def tables() -> dict[str, str]:
    """The table that each Server has."""
    look = {
        "kea": "sha256sum </etc/kea/aero-reservations.json",
        "kea_postgresql": "cd / && runuser -u postgres -- psql -d kea_aero -Atc 'SELECT address FROM ipv6_reservations ORDER BY 1'",
        "isc": "sha256sum </etc/dhcp/aero-hosts.conf",
    }  # fmt: skip
    return {server: on_node(server, look[BACKEND]) for server in SERVERS}
