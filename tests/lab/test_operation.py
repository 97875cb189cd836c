# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks do to a live link: nothing without a reason, one host under --limit, repairs."""

from __future__ import annotations

import subprocess

import pytest

from tests.lab.door import ROOT, VENV, on_node, run_playbook, wait_for

MOST_TASKS_ON_A_NODE = 12


def test_a_second_run_changes_nothing_and_is_small():
    run = run_playbook("site")
    assert run.changed == {}
    tasks = {host: numbers["ok"] + numbers["skipped"] for host, numbers in run.recap.items()}
    assert max(tasks.values()) <= MOST_TASKS_ON_A_NODE, tasks


def test_check_mode_predicts_no_change_on_a_live_link():
    assert run_playbook("site", "--check", "--diff").changed == {}


@pytest.mark.parametrize("node", ["s1", "r2", "c1", "ns1"])
def test_a_limit_touches_only_that_node(node):
    run = run_playbook("site", "--limit", node)
    assert set(run.recap) <= {node, "localhost"}
    assert run.changed == {}


def test_check_mode_predicts_a_repair_and_the_run_makes_it():
    on_node("s1", "rm -f /etc/bird/bird.conf; nft delete table inet aero")
    predicted = run_playbook("site", "--check", "--diff", "--limit", "s1")
    assert predicted.changed.keys() == {"s1"}
    assert not on_node("s1", "ls /etc/bird/bird.conf 2>/dev/null", check=False), "check mode changed the node"
    assert run_playbook("site", "--limit", "s1").changed.keys() == {"s1"}
    assert run_playbook("site", "--limit", "s1").changed == {}
    run_playbook("verify")


def test_a_run_cut_off_half_way_is_repaired_by_the_next():
    on_node("s2", "rm /etc/kea/kea-dhcp6.conf /etc/aero/aerod.toml; systemctl stop kea-dhcp6-server aerod")
    command = [VENV / "ansible-playbook", "-i", "inventories/lab", "playbooks/site.yml", "--limit", "s2"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(
        lambda: on_node("s2", "ls /etc/aero/aerod.toml 2>/dev/null", check=False) or run.poll() is not None,
        "the run reaches s2",
        60,
    )
    run.kill()
    run.wait()
    run_playbook("site", "--limit", "s2")
    # Clients that left s2 meanwhile try it again after a while, at most 30 s apart (section 3.19.4).
    run_playbook("verify", "-e", "aero_verify_timeout=90")


@pytest.mark.parametrize("unit", ["aerod", "kea-dhcp6-server", "bird"])
def test_a_killed_daemon_comes_back_without_help(unit):
    """Within 30 s the link proves itself again: verify.yml is started at once and may wait that long."""
    on_node("s1", f"systemctl kill --kill-who=main --signal=KILL {unit}")
    run_playbook("verify", "-e", "aero_verify_timeout=30")


def test_a_node_that_restarts_comes_back():
    on_node("s1", "systemctl restart aero-interface aerod bird kea-dhcp6-server", check=True)
    run_playbook("verify")
