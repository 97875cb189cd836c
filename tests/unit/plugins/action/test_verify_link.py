# SPDX-License-Identifier: GPL-3.0-or-later
"""The action between the play and the judgement: what it reads, when it waits, how it fails."""

from __future__ import annotations

import time
from unittest import mock

import pytest
from ansible_collections.aero.link.plugins.action import verify_link
from ansible_collections.aero.link.tests.unit.plugins.module_utils import verify_link_data as data

LOST = {
    "to": "fe80::1%aero0", "label": "r1 (tunnel)", "size": 64, "expect": "reachable", "ok": False,
    "sent": 2, "received": 1, "rtt_avg": 1.0, "error": "",
}  # fmt: skip


@pytest.fixture
def judge(monkeypatch):
    """Runs the action over ``nodes``; ``extra`` are further variables of hosts."""
    monkeypatch.setattr(verify_link, "PAUSE", 0)

    def run(nodes, extra=None, **arguments):
        hostvars = {host: {"_aero_info": {"aero_node": node}} for host, node in nodes.items()}
        for host, variables in (extra or {}).items():
            hostvars[host].update(variables)
        task = mock.Mock(args={"link": data.link(), **arguments}, async_val=0, check_mode=False)
        action = verify_link.ActionModule(task, mock.Mock(), mock.Mock(), None, None, None)
        return action.run(task_vars={"hostvars": hostvars, "ansible_play_hosts_all": list(hostvars)})

    return run


def test_a_link_in_order_is_not_looked_at_again(judge):
    """No findings, and the probes that prove it."""
    verdict = judge(data.nodes(), {"x1": {"aero_verify_probes": [{"to_host": "h1", "sizes": [64]}]}})
    assert (verdict["again"], verdict["findings"]) == (False, [])
    assert [target["to"] for target in verdict["probes"]["x1"]] == ["198.51.100.34", "2001:db8:1000::5"]


def test_what_is_wrong_is_looked_at_again_until_the_deadline(judge):
    """And not after it."""
    nodes = data.nodes()
    nodes["r1"]["bgp"]["sessions"][0]["state"] = "Active"
    assert judge(nodes, deadline=time.time() + 60)["again"]
    late = judge(nodes, deadline=time.time() - 1)
    assert not late["again"]
    assert late["findings"][0]["host"] == "r1"


def test_a_node_that_gave_no_facts_is_a_finding(judge):
    """An unreachable host has a registered result without facts; a host that was skipped is nothing."""
    nodes = {**data.nodes(), "ns1": None, "h1": None}
    lost, skipped = {"_aero_info": {"unreachable": True}}, {"_aero_info": {"skipped": True}}
    (finding,) = judge(nodes, {"s1": lost, "ns1": skipped})["findings"]
    assert finding == {"host": "s1", "what": "node", "expected": "answering", "found": "no answer"}


def test_the_outside_is_judged_where_it_is_declared(judge):
    """`aero_verify_no_routes_inside` makes a host one that stands outside."""
    nodes = data.nodes()
    nodes["x1"]["routes"]["inside"][data.ASPS[0]]["exact"] = False
    assert judge(nodes)["findings"] == []
    verdict = judge(nodes, {"x1": {"aero_verify_no_routes_inside": True}})
    assert [finding["host"] for finding in verdict["findings"]] == ["x1"]


def test_a_lost_packet_fails_at_the_end(judge):
    """With the host first in its line."""
    result = judge(data.nodes(), {"s1": {"_aero_sent": {"results": [LOST]}}}, final=True)
    assert result["failed"]
    assert result["msg"].splitlines()[1].startswith("s1: 64-byte packets to r1 (tunnel) [fe80::1%aero0]: ")


def test_a_proven_link_is_shown(judge):
    """The page of proof goes to the terminal as it is."""
    with mock.patch.object(verify_link, "Display") as display:
        result = judge(data.nodes(), {"s1": {"_aero_sent": {"results": [{**LOST, "ok": True}]}}}, final=True)
    shown = display.return_value.display.call_args.args[0]
    assert "r1 (tunnel)" in shown
    assert shown.split("\n")[1:-1] == result["report"]
