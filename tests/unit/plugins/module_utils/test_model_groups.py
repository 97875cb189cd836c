# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of an inventory: the mistakes there can be in them, with the line that is said about each."""
# Those lines stand here as they are printed.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from ansible_collections.aero.link.plugins.module_utils import _model
from ansible_collections.aero.link.tests.unit.plugins.module_utils.link_inventory import (
    GROUPS,
    LINK,
    link_hosts,
    nested,
    refused,
)


@pytest.fixture
def hosts(tmp_path):
    return link_hosts(tmp_path)


def test_no_relay_and_no_server(hosts):
    hosts = {name: hosts[name] for name in ("c1", "c2", "ns1")}
    assert refused(hosts, nested({"aero_clients": ["c1", "c2"], "aero_name_servers": ["ns1"]})) == [
        "all hosts: aero_relays = []: the link has no Relay; allowed: one host or more in the group aero_relays",
        "all hosts: aero_servers = []: the link has no Server; allowed: one host or more in the group aero_servers"]


def test_no_link_at_all():
    assert len(refused({}, {})) >= 2


def test_host_with_two_roles(hosts):
    groups = {**GROUPS, "aero_servers": ["s1", "s2", "r1"]}
    assert ("r1: groups = aero_relays, aero_servers: more than one role; "
            "allowed: one of aero_relays, aero_servers, aero_clients") in refused(hosts, groups)


def test_host_without_role(hosts):
    hosts["s3"] = dict(LINK)
    assert refused(hosts, {**GROUPS, **{name: [*GROUPS[name], "s3"] for name in ("aero", "aero_nodes")}}) == [
        "s3: groups = aero, aero_nodes: no role; "
        "allowed: one of aero_relays, aero_servers, aero_clients, aero_name_servers"]


def test_retired_host_is_no_mistake(hosts):
    link, errors = _model.build(hosts, {**GROUPS, "aero": [*GROUPS["aero"], "s3"], "aero_retired": ["s3"]})
    assert (errors, "s3" in link["hosts"]) == ([], False)


AS_IN = "as in inventories/example/hosts.yml"


@pytest.mark.parametrize(("groups", "lines"), [
    ({"aero_nodes": ["r1", "r2", "s1", "s2"]}, [f"{host}: groups = aero_clients: not in aero_nodes; allowed: aero_clients "
                                                f"as a child of aero_nodes, {AS_IN}" for host in ("c1", "c2")]),
    ({"aero": ["ns1", "r1", "r2", "s1", "c1", "c2"]}, [
        f"s2: groups = aero_servers: not in aero; allowed: aero_nodes as a child of aero, {AS_IN}"]),
    ({"aero": ["r1", "r2", "s1", "s2", "c1", "c2"]}, [
        f"ns1: groups = aero_name_servers: not in aero; allowed: aero_name_servers as a child of aero, {AS_IN}"]),
    ({"aero_retired": ["s2", "s9"]}, [
        "s2: groups = aero_servers, aero_retired: in use and retired at once; allowed: one of the two"]),
])
def test_host_that_plays_would_leave_out_or_clean(hosts, groups, lines):
    """As they go by the groups that are above those of roles."""
    assert refused(hosts, {**GROUPS, **groups}) == lines


def test_no_parents_at_all(hosts):
    groups = {name: GROUPS[name] for name in ("aero_relays", "aero_servers", "aero_clients", "aero_name_servers")}
    assert [line.split(";")[0] for line in refused(hosts, groups)] == [
        "c1: groups = aero_clients: not in aero_nodes", "c2: groups = aero_clients: not in aero_nodes",
        "ns1: groups = aero_name_servers: not in aero",
        "r1: groups = aero_relays: not in aero_nodes", "r2: groups = aero_relays: not in aero_nodes",
        "s1: groups = aero_servers: not in aero_nodes", "s2: groups = aero_servers: not in aero_nodes"]
