# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server more is one line in the inventory, and a Server less leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.lab.door import ROOT, on_node, run_playbook

LINE = "          hosts:\n            s3:\n"


@pytest.fixture
def with_s3() -> Iterator[str]:
    """An inventory that differs from the lab's by the line of s3, which moved to the Servers."""
    directory = ROOT / "inventories" / "lab_with_s3"
    shutil.copytree(ROOT / "inventories" / "lab", directory, dirs_exist_ok=True)
    hosts = directory / "hosts.yml"
    text = hosts.read_text()
    assert LINE in text
    text = text.replace(LINE, "          hosts: {}\n").replace("                s2:\n", "                s2:\n                s3:\n")
    hosts.write_text(text)
    yield str(directory)
    shutil.rmtree(directory)


def test_a_server_joins_and_leaves(with_s3: str):
    sessions = on_node("s1", "birdc show protocols r1 | tail -1").split()[4]
    joined = run_playbook("site", inventory=with_s3)
    assert joined.changed.keys() == {"s3", "r1", "r2", "ns1"}, joined.output
    assert run_playbook("site", inventory=with_s3).changed == {}
    run_playbook("verify", inventory=with_s3)
    assert on_node("s1", "birdc show protocols r1 | tail -1").split()[4] == sessions, "a session was lost"
    assert "203.0.113.13" in on_node("c1", "dig +short linkupnetworks.example.net @203.0.113.53")

    left = run_playbook("site")
    assert left.changed.keys() == {"r1", "r2", "ns1"}, left.output
    assert run_playbook("reset").changed.keys() == {"s3"}
    assert run_playbook("reset").changed == {}
    run_playbook("verify")
    assert "203.0.113.13" not in on_node("c1", "dig +short linkupnetworks.example.net @203.0.113.53")
    assert not {"aero0", "aero-dhcp0"} & {link["ifname"] for link in json.loads(on_node("s3", "ip -j link"))}
    assert on_node("s3", "nft list tables").strip() == ""
    assert on_node("s3", "ls -d /etc/aero /usr/lib/aero /var/lib/aero 2>/dev/null", check=False) == ""
