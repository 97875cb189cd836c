# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client's DHCPv6 (section 13): getting, keeping, losing and giving back its prefixes."""

from __future__ import annotations

import pytest

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, Prefix, parse_address
from aerod.wire import vendor_options as vendor
from aerod.wire.dhcpv6 import REBIND, RELEASE, RENEW, REQUEST, SOLICIT, pack
from aerod.wire.dhcpv6_options import (
    IAPD,
    ClientId,
    ElapsedTime,
    IAPrefix,
    OptionRequest,
    RapidCommit,
    ServerId,
)
from tests.unit.aerod.harness import C1, Link, lla, underlay
from tests.unit.aerod.procedures.dhcpv6_log import ACPS, C1_AERO, held, messages, state, types


def test_first_message() -> None:
    """AERO-008, 114, 116: Solicit from the shared address with all that section 13.1 asks for."""
    link = Link()
    link.run(1.001)
    header, message, datagram = messages(link)[0]
    assert (header.source, header.destination) == (UNASSIGNED_CLIENT, ALL_DHCP_AGENTS)
    assert datagram.remote == lla("203.0.113.11")
    assert message.type == SOLICIT
    assert message.find(ClientId).value == C1
    assert [association.iaid for association in message.find_all(IAPD)] == [1, 2]
    assert message.find(ElapsedTime).value == 0
    assert message.find(OptionRequest).codes == (17, 82)
    assert message.find(RapidCommit) is not None and message.find(ServerId) is None
    assert bytes.fromhex("0000b0e2") + bytes.fromhex("00000004000000ff") in pack(message)


def test_draft_layout_of_the_request() -> None:
    """D5: with ``draft52`` the ALLAREQ has the draft's 12 bytes."""
    link = Link(layout="draft52").settled()
    assert bytes.fromhex("00110008 0000b0e2 000000ff") in pack(messages(link)[0][1])
    assert held(link.c1) == ACPS
    (lease,) = link.c1.node.leases(link.now)
    assert lease["seen_as"] == {"address": "203.0.113.101", "port": 8060}
    assert lease["asps"] == ["2001:db8::/32", "198.51.100.0/24"]


def test_two_messages_suffice() -> None:
    """O-28: Solicit with Rapid Commit, Reply."""
    link = Link().settled()
    assert types(link) == [SOLICIT]
    assert held(link.c1) == ACPS
    assert state(link.c1) == "bound"


def test_a_server_without_rapid_commit_gets_a_request() -> None:
    """Four messages, the Request names the Server."""
    link = Link()
    link.s1.kea.rapid_commit = False
    link.settled()
    assert types(link) == [SOLICIT, REQUEST]
    assert messages(link)[1][1].find(ServerId).value == link.s1.kea.server_id
    assert messages(link)[1][0].source == UNASSIGNED_CLIENT
    assert held(link.c1) == ACPS


def test_unknown_client_gets_nothing_and_is_told() -> None:
    """Issue 2 item 1: a clear status, and the Client goes on asking at RFC 8415's pace."""
    link = Link()
    del link.s1.kea.table[C1]
    link.run(40)
    assert types(link) == [SOLICIT] * 6
    assert link.c1.leases == ()
    (lease,) = link.c1.node.leases(link.now)
    assert lease["state"] == "soliciting"
    assert lease["status"] == "NoPrefixAvail: Sorry, no prefixes could be allocated."
    assert [text for text in link.c1.notices if "NoPrefixAvail" in text]
    assert len(link.c1.notices) == 1
    assert link.s1.node.leases(link.now) == [] and link.s1.routes == set()


def test_renew_at_t1() -> None:
    """AERO-121: from the AERO address, same DUID and ALLAREQ, naming Server and prefixes."""
    link = Link().settled()
    link.run(1000)
    header, message, datagram = messages(link)[-1]
    assert message.type == RENEW
    assert (header.source, header.destination) == (C1_AERO, ALL_DHCP_AGENTS)
    assert datagram.remote == lla("203.0.113.11")
    assert message.find(ServerId).value == link.s1.kea.server_id
    assert vendor.decode(message.options) == (vendor.AllaReq(0, 255),)
    named = [str(ia.find(IAPrefix).acp) for ia in message.find_all(IAPD)]
    assert named == ["2001:db8:1000:2000::/56", "198.51.100.32/28"]
    assert state(link.c1) == "bound"
    assert link.c1.leases[0].valid == pytest.approx(7200, abs=1)
    link.run(7000)
    assert types(link).count(RENEW) == 8 and held(link.c1) == ACPS


def test_rebind_at_t2_and_start_over_at_the_end() -> None:
    """AERO-122: a dead Server; Renew until T2, Rebind until the lease ends, then Solicit."""
    link = Link().settled()
    link.cut.add("s1")
    link.run(1100)
    assert state(link.c1) == "renewing"
    link.run(1000)
    assert state(link.c1) == "rebinding"
    assert messages(link)[-1][1].find(ServerId) is None
    assert held(link.c1) == ACPS
    link.run(5100)
    assert link.c1.leases == ()
    assert state(link.c1) == "soliciting"
    header, message, _unused = messages(link)[-1]
    assert (message.type, header.source) == (SOLICIT, UNASSIGNED_CLIENT)
    assert link.c1.node.status(link.now)["primary"] is None
    kinds = types(link)
    # Every 30 s one Rebind as for a NAT that has forgotten us (O-27).
    assert kinds.count(RENEW) < 9 and kinds.count(REBIND) < 16 + 7200 / 27


def test_lost_messages_are_sent_again() -> None:
    """Half of everything is lost; the lease comes and stays."""
    link = Link(seed=3)
    link.loss = 0.5
    link.run(60)
    assert held(link.c1) == ACPS
    link.run(4000)
    assert held(link.c1) == ACPS
    assert state(link.c1) in ("bound", "renewing")


def test_a_withdrawn_acp_is_given_up_at_once() -> None:
    """D6: lifetimes 0 take the prefix away whatever else the Reply says."""
    link = Link().settled()
    link.s1.kea.table[C1] = ["2001:db8:1000:2000::/56"]
    link.run(1001)
    assert held(link.c1) == ["2001:db8:1000:2000::/56"]
    assert link.s1.routes == {Prefix.parse("2001:db8:1000:2000::/56")}
    link.s1.kea.table[C1] = []
    link.run(1001)
    assert held(link.c1) == [] and link.s1.routes == set()
    assert state(link.c1) == "soliciting"


def test_a_lost_prefix_is_not_local_any_more() -> None:
    """The forwarding entry ends with the lease."""
    link = Link().settled()
    link.s1.kea.table[C1] = ["2001:db8:1000:2000::/56"]
    link.run(1001)
    inside = parse_address("198.51.100.34")
    assert link.c1.node.lookup(inside, link.now)["target"] == "neighbor"


def test_no_binding_starts_over() -> None:
    """Section 13.3: Solicit from the shared address; what is leased stays until its end or the answer."""
    link = Link().settled()
    link.s1.kea.no_binding = True
    link.s1.kea.silent = False
    link.run(996)
    reports = link.c1.lease_reports
    link.run(5)
    assert types(link) == [SOLICIT, RENEW, SOLICIT]
    assert messages(link)[-1][0].source == UNASSIGNED_CLIENT
    assert held(link.c1) == ACPS and state(link.c1) == "bound"
    assert link.c1.lease_reports == reports + 1


def test_a_changed_acp_replaces_the_old() -> None:
    """The new prefix is taken, the old one ends, in one Reply."""
    link = Link().settled()
    link.s1.kea.table[C1] = ["2001:db8:7::/48", "198.51.100.32/28"]
    link.run(1001)
    assert held(link.c1) == ["198.51.100.32/28", "2001:db8:7::/48"]
    assert {str(prefix) for prefix in link.s1.routes} == set(held(link.c1))


def test_names_are_looked_up_without_configured_servers() -> None:
    """AERO-127: linkupnetworks.<domain>, again until there is an answer."""
    link = Link(c1_servers=())
    link.run(25)
    assert link.c1.asked == ["linkupnetworks.example.net"] * 3
    link.name_servers = [lla("203.0.113.11")]
    link.run(15)
    assert held(link.c1) == ACPS
    asked = len(link.c1.asked)
    link.run(500)
    assert len(link.c1.asked) == asked


def test_two_servers_at_once() -> None:
    """AERO-126, D21: same ACPs at both, the first is primary, its death makes the other so."""
    link = Link(c1_servers=("203.0.113.11", "203.0.113.12"), count=2).settled()
    assert [lease["server"] for lease in link.c1.node.leases(link.now)] == ["fe80::b", "fe80::c"]
    assert held(link.c1) == ACPS
    assert link.s1.routes == {Prefix.parse(acp) for acp in ACPS}
    assert link.s1.routes < link.s2.routes
    assert link.c1.node.status(link.now)["primary"] == "fe80::b"
    link.cut.add("s1")
    link.run(30)
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"
    link.run(8000)
    assert held(link.c1) == ACPS
    leases = {lease["server_address"]: lease["state"] for lease in link.c1.node.leases(link.now)}
    assert leases == {"203.0.113.11": "soliciting", "203.0.113.12": "bound"}


def test_a_silent_server_gives_way_to_another() -> None:
    """After a few Solicits the next candidate is tried."""
    link = Link(c1_servers=("203.0.113.99", "203.0.113.12"))
    link.run(40)
    assert held(link.c1) == ACPS
    assert link.c1.node.status(link.now)["primary"] == "fe80::c"


def test_both_addresses_of_one_server_are_one_association() -> None:
    """A Server knows a Client's links once, so only the last address counts."""
    link = Link(c1=("203.0.113.101", "fd00:ae::101"), c1_servers=(), count=2)
    link.name_servers = [lla("203.0.113.11"), lla("fd00:ae::11"), lla("fd00:ae::12")]
    link.run(10)
    servers = [lease["server"] for lease in link.c1.node.leases(link.now)]
    assert sorted(servers) == ["fe80::b", "fe80::c"]
    link.run(3000)
    assert [lease["state"] for lease in link.c1.node.leases(link.now)] == ["bound", "bound"]


@pytest.mark.parametrize(
    ("links", "server"),
    [
        ((("203.0.113.101", "fd00:ae::101"),), "203.0.113.11"),
        ((("fd00:ae::101",), ("203.0.113.101", "fd00:ae:1::101")), "fd00:ae::11"),
        ((("203.0.113.101",), ("203.0.113.151", "fd00:ae:1::101")), "203.0.113.11"),
    ],
    ids=["equal", "more IPv6", "more IPv4"],
)
def test_the_family_that_most_links_have_is_chosen_whatever_the_dns_says_first(
    links: tuple[tuple[str, ...], ...], server: str
) -> None:
    """Links of the other family would be idle, and peers that chose it out of direct reach."""
    link = Link(c1_servers=())
    link.name_servers = [lla("fd00:ae::11"), lla("203.0.113.11"), lla("fd00:ae::12"), lla("203.0.113.12")]
    link.c1.set_underlays(*(underlay(*each, link_id=number) for number, each in enumerate(links)))
    link.run(10)
    assert [lease["server_address"] for lease in link.c1.node.leases(link.now)] == [server]


def test_release() -> None:
    """Section 13.4: nothing is held from now on; the Release is repeated until the Reply (O-43)."""
    link = Link().settled()
    link.s1.kea.silent = True
    assert link.c1.node.release(link.now) == {"servers": 1}
    link.run(0.1)
    assert link.c1.leases == ()
    assert link.c1.node.status(link.now)["primary"] is None
    link.run(60)
    assert state(link.c1) == "releasing"
    assert types(link).count(RELEASE) > 4
    link.s1.kea.silent = False
    link.run(40)
    header, message, _unused = messages(link)[-1]
    assert header.source == C1_AERO
    assert message.find(ServerId).value == link.s1.kea.server_id
    assert link.c1.node.leases(link.now) == []
    sent = len(messages(link))
    link.run(10000)
    assert len(messages(link)) == sent
