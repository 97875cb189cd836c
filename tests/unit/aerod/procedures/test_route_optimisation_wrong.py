# SPDX-License-Identifier: GPL-3.0-or-later
"""Predirects and Redirects that are wrong, stale, or come from somebody else change nothing."""

from __future__ import annotations

import pytest

from aerod.address import parse_address
from aerod.wire import nd
from aerod.wire.nd_options import Nonce
from tests.unit.aerod.harness import H1, H2, Link, ip6, lla
from tests.unit.aerod.procedures.nd_log import C2_LL, dynamic, nd_sent, stamp, tllao
from tests.unit.aerod.procedures.redirection_talk import (
    S1_AT,
    S2_AT,
    THROUGH,
    answer_to,
    hops,
    predirect,
    question,
)


@pytest.fixture
def link() -> Link:
    return Link(optimise=True).settled()


def solicited(link: Link, neighbor: bytes) -> list:
    return [m for m in nd_sent(link, nd.NeighborSolicitation) if m.header.destination == neighbor]


def wrong_answers(link: Link) -> dict[str, bytes]:
    good = tllao(0, 255, "203.0.113.102")
    nonce = predirect(link).find(Nonce)
    other = parse_address("fe80::2001:db8:7:0")
    return {
        "another nonce": answer_to(link, options=(good, Nonce(b"wrong!"))),
        "no nonce": answer_to(link, options=(good,)),
        "stale": answer_to(link, options=(good, stamp(link, -301), nonce)),
        "from the future": answer_to(link, options=(good, stamp(link, 301), nonce)),
        "another target": answer_to(link, target=other),
        "another prefix": answer_to(link, source=other),
        "host bits": answer_to(link, prefix_length=32),
        "outside the ASPs": answer_to(link, prefix_length=0),
        "no link": answer_to(link, options=(nonce,)),
        "no filled link": answer_to(link, options=(tllao(0, 255, "::", 0), nonce)),
        "multicast link": answer_to(link, options=(tllao(0, 255, "224.0.0.1"), nonce)),
        "loopback link": answer_to(link, options=(tllao(0, 255, "127.0.0.1"), nonce)),
        "disabled link": answer_to(link, options=(tllao(0, 0, "203.0.113.102"), nonce)),
    }


def asked(which: str | None = None) -> Link:
    """A link where c1 has asked and c2 will not answer."""
    link = Link(optimise=(True, False)).settled()
    link.c1.send(ip6(H1, H2))
    link.run(0.2)
    return link


@pytest.mark.parametrize("which", list(wrong_answers(asked())))
def test_wrong_answers_change_nothing(which) -> None:
    """AERO-152, 153, 154, 166, 172: no entry, no NS, data goes on through the Server."""
    link = asked()
    link.c1.inject(wrong_answers(link)[which], S1_AT)
    assert dynamic(link.c1, link) == []
    assert solicited(link, C2_LL) == []
    assert hops(link, ip6(H1, H2)) == THROUGH
    # The right one is still taken, but where the peer told that it cannot be reached.
    if "link" not in which:
        link.c1.inject(answer_to(link), S1_AT)
        assert len(dynamic(link.c1, link)) == 1


def test_answers_come_through_a_server() -> None:
    """AERO-166: not from the peer itself, and not from a stranger."""
    link = asked()
    answer = answer_to(link)
    for remote in ("203.0.113.102", "192.0.2.9", "203.0.113.12"):
        link.c1.inject(answer, lla(remote))
    assert dynamic(link.c1, link) == []
    assert link.c1.drops() == {"drop_origin": 3}
    # Not even from one that may send us data.
    link = Link(optimise=True).settled()
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    link.c1.send(ip6(H1, H2))
    link.cut.add("c2")
    link.c1.inject(answer_to(link), lla("203.0.113.102"))
    assert link.c1.drops() == {"drop_nd_not_from_server": 1}


def test_a_question_is_forgotten() -> None:
    """An answer counts only while the question is recent."""
    link = asked()
    answer = predirect(link).find(Nonce)
    link.run(31)
    link.c1.inject(answer_to(link, options=(tllao(0, 255, "203.0.113.102"), answer)), S1_AT)
    assert dynamic(link.c1, link) == []


@pytest.mark.parametrize(
    ("changed", "drop"),
    [
        ({"options": (tllao(0, 255, "203.0.113.101"), None)}, "nd_timestamp"),
        ({"target": C2_LL}, "malformed_control"),
        ({"prefix_length": 40}, "malformed_control"),
        ({"prefix_length": 65}, "malformed_control"),
        ({"destination": parse_address("ff02::1")}, "malformed_control"),
        ({"source": C2_LL}, "malformed_control"),
        ({"source": parse_address("fe80::b")}, "malformed_control"),
        ({"to": parse_address("fe80::2001:db8:2:0")}, "nd_not_ours"),
    ],
)
def test_wrong_questions_change_nothing(link, changed, drop) -> None:
    """AERO-147, 153, 154, 161: no entry, no answer."""
    if "options" in changed:
        changed = {"options": (changed["options"][0], stamp(link, -400))}
    link.c2.inject(question(link, **changed), S2_AT)
    assert link.c2.drops() == {f"drop_{drop}": 1}
    assert dynamic(link.c2, link) == [] and nd_sent(link, nd.Redirect) == []


def test_a_repeated_predirect_is_stale(link) -> None:
    """O-22: while the entry stands, a Timestamp must go on with the time."""
    first = question(link)
    link.c2.inject(first, S2_AT)
    link.run(10)
    link.c2.inject(first, S2_AT)
    assert link.c2.drops() == {"drop_nd_timestamp": 1}
    assert 29 < dynamic(link.c2, link)[0]["accept_in"] <= 30
    link.c2.inject(question(link), S2_AT)
    assert dynamic(link.c2, link)[0]["accept_in"] == 40
