# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server that reboots has all its leases again, whatever its DHCPv6 back end.

After the tests of moves: a Client may meet a Server that comes back by its other address family, and Clients of two
families have no direct way.
"""

from __future__ import annotations

from pathlib import Path

from tests.lab.door import on_node, run_playbook, wait_for
from tests.lab.other_client import ask, get, has_route, prefixes, release

ONE, ACP = "0003000102ae00000104", "2001:db8:2001::/48"  # client4 of inventories/lab


def test_a_host_reboots():
    """Leases and all come back with it, also of a Client that says nothing meanwhile."""
    # Now: who was sent something while nobody listened here has lost its lease (AERO-080).
    get(ONE)
    init = Path("/run/aero-lab/s1/pid").read_text().strip()
    on_node("s1", "systemctl reboot", check=False)
    wait_for(lambda: not Path(f"/proc/{init}").exists(), "s1 goes down", 60)
    run_playbook("lab_up")
    wait_for(lambda: has_route("s1", ACP), "the route of a lease from before", 60)
    wait_for(lambda: (said := ask("solicit", ONE, rapid_commit=True)) and prefixes(said) == [ACP], "a grant", 60)
    # Clients that have given s1 up rest about as long as it was away, and look around each minute.
    run_playbook("verify", "-e", "aero_verify_timeout=180")
    # A Client with a lease and an old key would keep a rotation from its end (test_rotation.py).
    release(get(ONE), ONE, ACP)
    wait_for(lambda: not has_route("s1", ACP), "the route of a released prefix goes", 15)
