# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's way to the nodes: sessions to underlay addresses survive whatever the link does."""

from __future__ import annotations

import subprocess

from tests.lab.door import ROOT, in_namespace, on_node, run_playbook

# Node, one underlay address.  c1 is behind a NAT that lets nobody in, so nobody off its network reaches it.
NODES = [
    ("r1", "203.0.113.1"),
    ("r2", "203.0.113.2"),
    ("s1", "203.0.113.11"),
    ("s2", "203.0.113.12"),
    ("s2", "fd00:ae::ae:ff:fe00:12"),
    ("ns1", "203.0.113.53"),
]


def open_session(address: str) -> subprocess.Popen:
    """An SSH login from the off-link management host that answers "alive" to a line of input."""
    options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
    remote = "echo ready; read line; echo alive"
    session = subprocess.Popen(
        in_namespace(
            "mgmt", "ssh", *options, "-i", str(ROOT / ".lab/secrets/ssh_key"), f"root@{address}", remote
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdout.readline().strip() == "ready", address
    return session


def c2_addresses() -> list[str]:
    listed = on_node(
        "c2",
        "ip -o -4 addr show dev eth0; ip -o -4 addr show dev eth1; ip -o -6 addr show dev eth1 scope global",
    )
    return [
        word.split("/")[0]
        for line in listed.splitlines()
        for word in line.split()
        if word.startswith(("203.0.113.", "fd00:ae")) and "/" in word
    ]


def test_sessions_from_off_link_survive_a_restart_of_everything():
    targets = [address for _node, address in NODES] + c2_addresses()
    sessions = {address: open_session(address) for address in targets}
    for node in ("r1", "s1", "s2", "c2"):
        on_node(node, "systemctl restart aerod")
    run_playbook("site")
    run_playbook("verify")
    for address, session in sessions.items():
        said, _unused = session.communicate("\n", timeout=30)
        assert said.strip() == "alive", address


def test_a_slaac_underlay_keeps_its_default_route():
    """Forwarding and SLAAC: accept_ra=2 comes first (design of role node)."""
    assert "default via" in on_node("c2", "ip -6 route show default dev eth1")
    assert "default via" in on_node("s2", "ip -6 route show default dev eth0")
