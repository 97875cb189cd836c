# SPDX-License-Identifier: GPL-3.0-or-later
"""Mismatches by name, from a node that is played: what BIRD 2.0.12 and aerod answered on a real Server."""

from __future__ import annotations

import pytest
from ansible_collections.aero.link.plugins.module_utils import _node_facts as facts
from ansible_collections.aero.link.plugins.module_utils import _node_facts_mismatches as subject

COUNT = """146 of 148 routes for 148 networks in table master6
146 of 148 routes for 148 networks in table master4
Total: 292 of 296 routes for 296 networks in 2 tables
"""
A, B, C = "2001:db8:1::/64", "2001:db8:2::/64", "198.51.100.32/28"


def show(*networks: str) -> str:
    text = "Table master6:\n"
    return text + "".join(f"{n:20} unicast [clients6 07:07:24.245] * (210)\n\tdev aero0\n" for n in networks)


class PlayedNode:
    """A node whose neighbors, kernel routes and BIRD routes are these."""

    def __init__(self, role, neighbors, routes=(), announced=(), held=(), audit=None) -> None:
        self.params = {"interface": "aero0"}
        self.problems: list[str] = []
        self.status = {"role": role, "routes": len(neighbors), "lease_audit": audit}
        self.bird = self
        self.dumps = 0
        self._neighbors, self._routes, self._announced, self._held = neighbors, routes, announced, held

    def ask(self, command):
        if command.endswith("count"):
            return f"{len(self._announced)} of 9 routes for 9 networks in table master6\n"
        self.dumps += 1
        return show(*self._announced)

    def ask_aerod(self, command, _default, **_arguments):
        if command == "damping":
            return [{"prefix": prefix} for prefix in self._held]
        self.dumps += 1
        return [{"prefixes": [prefix]} for prefix in self._neighbors]

    def ip(self, option, *_arguments):
        self.dumps += 1
        return [{"dst": prefix} for prefix in self._routes if (":" in prefix) == (option == "-6")]


def found(*arguments, **more) -> list[dict]:
    node = PlayedNode(*arguments, **more)
    result = facts.mismatches(node)["mismatches"]
    assert not node.problems
    return result


def test_what_bird_prints() -> None:
    """Counts of all tables, their total not once more; networks without the lines below them."""
    assert subject.bird_count(COUNT) == 292
    assert subject.bird_networks(show(A, C)) == {A, C}


def test_a_server_in_order_is_not_dumped() -> None:
    """What is held down counts as it should be: not announced."""
    node = PlayedNode("server", [A, B, C], announced=[A, C], held=[B])
    assert facts.mismatches(node) == {"mismatches": []} and node.dumps == 0


@pytest.mark.parametrize(
    ("routes", "announced", "name", "sample"),
    [
        ([A], [A], "neighbor without route", [C]),
        ([A, C], [A], "route not announced", [C]),
        ([A, B, C], [A, B, C], "route without neighbor", [B]),
        ([A, C], [A, B, C], "announced without route", [B]),
    ],
)
def test_each_by_its_name(routes, announced, name, sample) -> None:
    """With the prefixes it is about."""
    assert found("server", [A, C], routes, announced) == [{"name": name, "count": 1, "sample": sample}]


def test_big_tables_are_only_counted(monkeypatch) -> None:
    """And some are too many."""
    monkeypatch.setattr(facts, "MOST_READ", 2)
    node = PlayedNode("server", [A, B, C], announced=[A])
    assert facts.mismatches(node)["mismatches"] == [
        {"name": "neighbor without announced route", "count": 2, "sample": []}
    ]
    assert node.dumps == 0
    assert found("server", [A], announced=[A, B, C])[0]["name"] == "announced route without neighbor"


def test_leases() -> None:
    """What aerod found in Kea."""
    audit = {
        "leases": 9, "age": 3.0,
        "neighbors_without_lease": {"count": 7, "sample": [A]}, "leases_without_neighbor": {"count": 1, "sample": [B]},
    }  # fmt: skip
    assert found("server", [], audit=audit) == [
        {"name": "neighbor without lease", "count": 7, "sample": [A]},
        {"name": "lease without neighbor", "count": 1, "sample": [B]},
    ]


def test_relays() -> None:
    """What BIRD learned and what aerod knows of its kernel's routes."""
    assert found("relay", [A, B], announced=[A, B]) == []
    assert found("relay", [A], announced=[A, B]) == [{"name": "route unknown to aerod", "count": 1, "sample": []}]
    assert found("relay", [A, B], announced=[A])[0]["name"] == "route known to aerod alone"


def test_nobody_to_ask() -> None:
    """Clients, and nodes whose daemons are down: other lines tell."""
    assert found("client", [A]) == []
    node = PlayedNode("server", [A])
    node.bird = None
    assert facts.mismatches(node) == {"mismatches": []}
