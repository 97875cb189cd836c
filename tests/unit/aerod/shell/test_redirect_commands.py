# SPDX-License-Identifier: GPL-3.0-or-later
"""``aeroctl redirects`` and ``capabilities``: from the words of the operator to the node and back."""

from __future__ import annotations

import pytest

from aerod import aeroctl
from aerod.shell.operator import Operator
from tests.unit.aerod.harness import H1, H2, Link, ip6


class OneLink:
    """A kernel with the AERO interface."""

    def link(self, _name: str):
        return None


@pytest.fixture
def link(monkeypatch) -> Link:
    made = Link(optimise=True).settled()
    monkeypatch.setattr("aerod.shell.clock.now", lambda: made.now)
    return made


def ask(link: Link, command: str, *words: str) -> str:
    """What the command prints at c1, its arguments parsed as on the command line."""
    operator = Operator(link.c1.config, link.c1.node, OneLink(), dict, lambda: None)
    options = vars(aeroctl._parser().parse_args([command, *words]))
    arguments = {key: options[key] for key in ("address", "kind") if options.get(key) is not None}
    result = operator.commands(lambda: None)[command](**arguments)
    return aeroctl._SHOW[command](result)


def test_redirects(link) -> None:
    """A table with one line for each destination prefix."""
    link.c1.send(ip6(H1, H2))
    link.run(5)
    heading, row = ask(link, "redirects").splitlines()
    assert heading.split() == ["DESTINATION", "FROM", "DIRECT", "VIA", "SINCE", "WHY", "NOT"]
    assert row.split() == [
        "2001:db8:1::/64", "2001:db8:1000:2000::/56", "yes", "203.0.113.102:8060", "5", "s", "-",
    ]  # fmt: skip
    assert ask(link, "redirects", H2).splitlines()[1].split()[2] == "yes"
    assert "outside every ASP" in ask(link, "redirects", "3fff::1")


def test_a_mistake_is_told(link) -> None:
    """No traceback for the operator."""
    with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address"):
        ask(link, "redirects", "nonsense")


def test_timers_of_dynamic_neighbors(link) -> None:
    """Two columns that others leave empty."""
    link.c1.send(ip6(H1, H2))
    link.run(5)
    lines = ask(link, "neighbors").splitlines()
    assert lines[0].split()[-2:] == ["ACCEPT", "FORWARD"]
    by_kind = {line.split()[0]: line.split() for line in lines[1:]}
    assert by_kind["static"][-2:] == ["-", "-"]
    assert by_kind["dynamic"][-4:] == ["0", "s", "25", "s"]


def test_capabilities(link) -> None:
    """What was found, what was not, what is still asked."""
    rows = [
        {"prefix": "3fff::/64", "domain": "example.com", "waiting": False, "expires_in": 300.0},
        {"prefix": "3fff:0:0:1::/64", "domain": None, "waiting": False, "expires_in": 60.0},
        {"prefix": "3fff:0:0:2::/64", "domain": None, "waiting": True, "expires_in": 60.0},
    ]
    shown = [line.split()[1] for line in aeroctl._SHOW["capabilities"](rows).splitlines()[1:]]
    assert shown == ["example.com", "none", "asking"]
    assert ask(link, "capabilities").splitlines() == ["PREFIX  AERO LINK  FOR"]
