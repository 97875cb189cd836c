# SPDX-License-Identifier: GPL-3.0-or-later
"""``aeroctl move``, ``drain`` and ``damping``: from the words of the operator to the node and back."""

from __future__ import annotations

import pytest

from aerod import aeroctl
from aerod.shell.operator import Operator
from tests.unit.aerod.harness import Link


class OneLink:
    """A kernel with the AERO interface."""

    def link(self, _name: str):
        return None


def commands(link: Link, host):
    operator = Operator(host.config, host.node, OneLink(), dict, lambda: None)
    return operator.commands(lambda: link.settle(host))


@pytest.fixture
def link(monkeypatch) -> Link:
    made = Link(c1_servers=("203.0.113.11", "203.0.113.12")).settled()
    monkeypatch.setattr("aerod.shell.clock.now", lambda: made.now)
    return made


def test_move(link) -> None:
    """By address, or to whatever other Server there is; a mistake is told, not raised through."""
    run = commands(link, link.c1)
    with pytest.raises(ValueError, match="no such Server"):
        run["move"](address="203.0.113.77")
    with pytest.raises(ValueError):
        run["move"](address="nonsense")
    assert aeroctl._SHOW["move"](run["move"]()).startswith("moving from 203.0.113.11:8060 to 203.0.113.12:8060")
    link.run(2)
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
    with pytest.raises(ValueError, match="only a Client"):
        commands(link, link.s1)["move"]()


def test_drain(link) -> None:
    """Only at a Server; ``--stop`` ends it, the status shows it."""
    run = commands(link, link.s1)
    assert aeroctl._SHOW["drain"](run["drain"]()) == "asking 1 Clients to leave"
    assert "draining" in aeroctl._SHOW["status"](run["status"]())
    assert aeroctl._SHOW["drain"](run["drain"](stop=True)) == "taking Clients again"
    assert "draining" not in aeroctl._SHOW["status"](run["status"]())
    with pytest.raises(ValueError, match="only a Server"):
        commands(link, link.c1)["drain"]()


def test_damping() -> None:
    """Who is held down, and why."""
    row = {"prefix": "2001:db8:1::/64", "client": "fe80::2001:db8:1:0", "client_id": "0002", "ended": 4, "announced_in": 31.7}
    assert aeroctl._SHOW["damping"]([row]).splitlines()[1].split() == [
        "2001:db8:1::/64", "fe80::2001:db8:1:0", "4", "times", "32", "s"
    ]
    options = aeroctl._parser().parse_args(["drain", "--stop"])
    assert (options.command, options.stop) == ("drain", True)


def test_recall(link) -> None:
    """Prefixes in words, IPv4 ones also as DHCPv6 has them; nothing is done if one of them is none."""
    run = commands(link, link.s1)
    with pytest.raises(ValueError, match="is not a prefix"):
        run["recall"](prefixes=["198.51.100.32/28", "nonsense"])
    assert run["recall"](prefixes=["::ffff:198.51.100.32/124"]) == {"prefixes": 1, "clients": 1}
    with pytest.raises(ValueError, match="only a Server"):
        commands(link, link.c1)["recall"](prefixes=[])
