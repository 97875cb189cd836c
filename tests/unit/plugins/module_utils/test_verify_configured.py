# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of a Client without DHCPv6: judged by what aerod itself tells of one."""

from __future__ import annotations

import json

import pytest
from ansible_collections.aero.link.plugins.module_utils._verify import findings
from ansible_collections.aero.link.plugins.module_utils._verify_probes import plan
from ansible_collections.aero.link.plugins.module_utils._verify_report import report

from tests.unit.aerod.harness import C1, TABLE
from tests.unit.aerod.nodes.test_configured_acps import ConfiguredLink
from tests.unit.plugins.module_utils import verify_link_data as data

ACP = data.ACPS["c1"][0]


@pytest.fixture(params=[1, 2])
def seen(request):
    """A link in order whose c1 has one or two Servers by configuration, and the core of that c1."""
    core = ConfiguredLink(request.param).settled()
    link, nodes = data.link(), data.nodes()
    link["hosts"]["c1"]["client_configured_servers"] = ["s1", "s2"][: request.param]
    prefixes = dict(zip(TABLE[C1], data.ACPS["c1"], strict=True))
    text = json.dumps(core.c1.node.leases(core.now))
    for ours, theirs in prefixes.items():
        text = text.replace(ours, theirs)
    nodes["c1"]["leases"] = json.loads(text)
    if request.param == 1:
        for acp in data.ACPS["c1"]:
            nodes["s2"]["neighbors"]["lookup"][acp] = nodes["s2"]["routes"]["lookup"][acp] = None
    return link, nodes


def test_in_order(seen):
    link, nodes = seen
    assert findings(link, nodes, ["x1"]) == []
    assert nodes["c1"]["leases"][0]["seen_as"] is None


def test_the_page_and_the_packets(seen):
    link, nodes = seen
    servers = link["hosts"]["c1"]["client_configured_servers"]
    text = "\n".join(report(link, nodes, {}))
    assert "c1      2001:db8:1000::/56, 198.51.100.32/28  s1  -                  -" in text
    probes, missing = plan(link, nodes, {})
    assert missing == []
    tunnels = {probe["label"] for probe in probes["c1"] if "tunnel" in probe["label"]}
    assert tunnels == {f"{server} (tunnel)" for server in servers}


def test_a_server_that_is_silent(seen):
    """Its lease has no end, so nothing but the silence tells."""
    link, nodes = seen
    servers = link["hosts"]["c1"]["client_configured_servers"]
    nodes["c1"]["leases"][0]["silent"] = True
    wanted, found = ", ".join(servers), ", ".join(servers[1:]) or "none"
    assert [str(line) for line in findings(link, nodes, ["x1"])] == [f"c1: Servers: expected {wanted}, found {found}"]


def test_a_server_that_does_not_know_the_client(seen):
    link, nodes = seen
    nodes["s1"]["neighbors"]["lookup"][ACP] = None
    nodes["s1"]["routes"]["lookup"][ACP] = []
    assert [str(line) for line in findings(link, nodes, ["x1"])] == [
        f"s1: kernel route to {ACP} of c1: expected dev aero0 proto 128, found none",
        f"s1: neighbor entry of c1: expected static with {ACP}, found none",
    ]


def test_another_configuration_than_the_inventory(seen):
    link, nodes = seen
    link["hosts"]["c1"]["client_configured_servers"] = ["s2"]
    servers = "s1" if len(nodes["c1"]["leases"]) == 1 else "s1, s2"
    assert [str(line) for line in findings(link, nodes, ["x1"])] == [f"c1: Servers: expected s2, found {servers}"]
