# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay agent of a Server (section 14): what goes to the DHCPv6 server, what is believed of it."""

from __future__ import annotations

import pytest

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, UNSPECIFIED, Prefix, parse_address
from aerod.wire import vendor_options as vendor
from aerod.wire.dhcpv6 import (
    ADVERTISE,
    RECONFIGURE,
    RELAY_FORWARD,
    RELAY_REPLY,
    REPLY,
    SOLICIT,
    Message,
    RelayMessage,
    pack,
    unpack,
)
from aerod.wire.dhcpv6_options import (
    IAPD,
    STATUS_NO_PREFIX_AVAIL,
    STATUS_UNSPEC_FAIL,
    ClientId,
    IAPrefix,
    InterfaceId,
    RelayedMessage,
    ServerId,
    StatusCode,
    SuppliedOptions,
    VendorOptions,
)
from aerod.wire.ip import UDP, build_ipv6, parse_ip
from aerod.wire.udp import build_udp, parse_udp
from tests.unit.aerod.harness import ASPS, C1, C2, H1, R1_ADDRESSES, TABLE, Link, ip6, lla, underlay
from tests.unit.aerod.host import Nat

S1 = parse_address("fe80::b")
ACP = Prefix.parse("2001:db8:1000:2000::/56")
CLIENT_AT = lla("192.0.2.77", 41000)


def idle(layout: str = "rfc8415") -> Link:
    """A link whose Clients are switched off."""
    link = Link(layout=layout)
    link.c1.up = link.c2.up = False
    return link


def solicit(duid: bytes = C1, *options) -> Message:
    return Message(SOLICIT, 0x123456, (ClientId(duid), IAPD(1), *options))


def from_client(link: Link, message, source=UNASSIGNED_CLIENT, destination=ALL_DHCP_AGENTS, remote=CLIENT_AT):
    """Let a message arrive at s1 and give the packets for its kernel back."""
    udp = build_udp(source, destination, 546, 547, pack(message))
    packet = build_ipv6(source, destination, UDP, udp, hop_limit=1)
    kea, link.s1.kea = link.s1.kea, None
    link.s1.inject(packet, remote)
    link.s1.kea = kea
    return link.s1.take_delivered()


def relayed(packet: bytes) -> RelayMessage:
    header = parse_ip(packet)
    return unpack(parse_udp(header.source, header.destination, packet[40:]).payload)


def to_server(link: Link, forward: RelayMessage, message: Message, **changes):
    """Let a Relay-reply arrive from the kernel of s1; return what s1 sends."""
    values = {
        "source": S1,
        "type": RELAY_REPLY,
        "link_address": UNSPECIFIED,
        "note": forward.find(InterfaceId),
    }
    values |= changes
    options = (values["note"], RelayedMessage(pack(message)))
    reply = RelayMessage(values["type"], forward.peer_address, options, 0, values["link_address"])
    ends = (values["source"], UNASSIGNED_CLIENT)
    before = len(link.log)
    link.s1.send(build_ipv6(*ends, UDP, build_udp(*ends, 547, 547, pack(reply))))
    return [datagram for _unused, datagram in link.log[before:]]


def granting(duid: bytes = C1, valid: int = 7200, kind: int = REPLY, *options) -> Message:
    association = IAPD(1, 0, 0, (IAPrefix(min(3600, valid), valid, 56, ACP.packed), *options))
    return Message(kind, 0x123456, (ClientId(duid), ServerId(b"s"), association))


def test_relay_forward() -> None:
    """AERO-141: link-address ::, the peer, our Interface-ID, ALLAREP and ASPADV, the message untouched."""
    link = idle()
    message = solicit(C1, *vendor.encode([vendor.AllaReq(1, 200)], "draft52"))
    (packet,) = from_client(link, message)
    header = parse_ip(packet)
    assert (header.source, header.destination) == (UNASSIGNED_CLIENT, ALL_DHCP_AGENTS)
    udp = parse_udp(header.source, header.destination, packet[40:])
    assert (udp.source_port, udp.destination_port) == (547, 547)
    forward = unpack(udp.payload)
    assert (forward.type, forward.hop_count) == (RELAY_FORWARD, 0)
    assert forward.link_address == UNSPECIFIED
    assert forward.peer_address == UNASSIGNED_CLIENT
    assert forward.find(RelayedMessage).value == pack(message)
    address = bytes.fromhex("a028") + CLIENT_AT.ip + bytes([1, 200])
    assert forward.find(InterfaceId).value.startswith(address)
    (supplied,) = forward.find(SuppliedOptions).options
    assert isinstance(supplied, VendorOptions)
    assert vendor.decode([supplied]) == (vendor.AllaRep(1, 200, CLIENT_AT), vendor.AspAdv(ASPS))
    # Kea drops messages with the flat layout, so its half is always in triples (D5).
    assert supplied.data.startswith(bytes.fromhex("00010016 0100 01c8 a028"))


def test_without_allareq() -> None:
    """AERO-134: Link ID 0, Preference 255."""
    (packet,) = from_client(idle(), solicit())
    values = vendor.decode(relayed(packet).find(SuppliedOptions).options)
    assert values[0] == vendor.AllaRep(0, 255, CLIENT_AT)


@pytest.mark.parametrize("kind", [ADVERTISE, REPLY, RECONFIGURE, 200])
def test_server_messages_from_the_link_are_dropped(kind) -> None:
    """AERO-143."""
    link = idle()
    assert from_client(link, Message(kind, 1, (ClientId(C1),))) == []
    assert link.s1.drops() == {"drop_dhcpv6_type": 1}


@pytest.mark.parametrize("kind", [RELAY_FORWARD, RELAY_REPLY])
def test_relay_messages_from_the_link_are_dropped(kind) -> None:
    """D20: nobody but us is a relay agent here."""
    link = idle()
    assert (
        from_client(link, RelayMessage(kind, UNASSIGNED_CLIENT, (RelayedMessage(b"\x01\x00\x00\x00"),))) == []
    )
    assert link.s1.drops() == {"drop_dhcpv6_type": 1}


@pytest.mark.parametrize("destination", ["fe80::c", "fe80::2001:db8:1:0", "ff05::1:3"])
def test_messages_for_others_are_not_relayed(destination) -> None:
    """ff02::1:2 and the own link-local address are ours (O-30), nothing else."""
    link = idle()
    assert from_client(link, solicit(), destination=parse_address(destination)) == []
    assert link.s1.drops() == {"drop_dhcpv6_address": 1}
    assert len(from_client(link, solicit(), destination=S1)) == 1


def test_messages_from_infrastructure_are_not_relayed() -> None:
    """A Client is never at a Relay's link-layer address."""
    link = idle()
    assert from_client(link, solicit(), remote=lla(R1_ADDRESSES[0])) == []
    assert link.s1.drops() == {"drop_dhcpv6_not_from_client": 1}


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01\x00\x00\x01\x00\x01\x00\xff", b"\x0c" + bytes(20)])
def test_malformed_messages_are_counted(payload) -> None:
    """AERO-220: no traceback, nothing for the DHCPv6 server."""
    link = idle()
    ends = (UNASSIGNED_CLIENT, ALL_DHCP_AGENTS)
    link.s1.inject(build_ipv6(*ends, UDP, build_udp(*ends, 546, 547, payload)), CLIENT_AT)
    assert link.s1.drops() == {"drop_malformed_control": 1}
    assert link.s1.delivered == []


def test_the_reply_reaches_the_client_it_answers() -> None:
    """AERO-132, 139, 142: by Interface-ID, not by the shared peer address; inner bytes unchanged."""
    link = idle()
    others = {}
    for remote, duid in ((CLIENT_AT, C1), (lla("192.0.2.78", 42000), C2)):
        (packet,) = from_client(link, solicit(duid), remote=remote)
        others[remote] = relayed(packet)
    for remote, forward in reversed(others.items()):
        message = granting().with_options(*forward.find(SuppliedOptions).options)
        (datagram,) = to_server(link, forward, message)
        assert datagram.remote == remote
        assert datagram.local == lla("203.0.113.11")
        header = parse_ip(datagram.payload)
        assert (header.source, header.destination) == (S1, UNASSIGNED_CLIENT)
        udp = parse_udp(header.source, header.destination, datagram.payload[40:])
        assert (udp.source_port, udp.destination_port) == (547, 546)
        assert udp.payload == pack(message)


def test_the_reply_leaves_from_the_address_the_client_wrote_to() -> None:
    """A NAT before the Client lets nothing else in."""
    link = idle()
    link.s1.set_underlays(underlay("203.0.113.50", "203.0.113.11"))
    (packet,) = from_client(link, solicit())
    (datagram,) = to_server(link, relayed(packet), granting())
    assert datagram.local == lla("203.0.113.50")
    link.s1.set_underlays(underlay("203.0.113.11", "203.0.113.50"))
    link.s1.send(ip6("2001:db8:9::1", H1))
    assert link.log[-1][1].local == lla("203.0.113.50")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": UNASSIGNED_CLIENT}, "dhcpv6_source"),
        ({"source": parse_address("fe80::c")}, "dhcpv6_source"),
        ({"type": RELAY_FORWARD}, "dhcpv6_no_reply"),
        ({"link_address": parse_address("2001:db8::1")}, "dhcpv6_no_reply"),
        ({"note": InterfaceId(bytes(45))}, "malformed_control"),
        ({"note": InterfaceId(b"")}, "malformed_control"),
        ({"note": ServerId(b"x")}, "malformed_control"),
    ],
)
def test_replies_that_are_not_believed(changes, reason) -> None:
    """D20: own fe80::ID, zero link-address, an Interface-ID of this start."""
    link = idle()
    (packet,) = from_client(link, solicit())
    assert to_server(link, relayed(packet), granting(), **changes) == []
    assert link.s1.drops() == {"drop_" + reason: 1}
    assert link.s1.node.leases(link.now) == []


def test_a_reply_to_an_earlier_start_is_not_believed() -> None:
    """The tag changes with each start; the Client asks again anyway."""
    link = idle()
    (packet,) = from_client(link, solicit())
    link.s1.start(link.s1.stop())
    assert to_server(link, relayed(packet), granting()) == []


def test_a_relay_reply_from_the_link_is_not_believed() -> None:
    """Even with a valid tag and the right source it has to come from the kernel."""
    link = idle()
    (packet,) = from_client(link, solicit())
    note = relayed(packet).find(InterfaceId)
    reply = RelayMessage(RELAY_REPLY, UNASSIGNED_CLIENT, (note, RelayedMessage(pack(granting()))))
    ends = (S1, UNASSIGNED_CLIENT)
    link.s1.inject(build_ipv6(*ends, UDP, build_udp(*ends, 547, 547, pack(reply))), CLIENT_AT)
    assert link.s1.node.leases(link.now) == []


def test_grant_makes_neighbor_and_route() -> None:
    """AERO-084, 136: ACP, lifetime, observed link-layer address."""
    link = idle()
    (packet,) = from_client(link, solicit())
    to_server(link, relayed(packet), granting(valid=60))
    (entry,) = link.s1.node.neighbors(link.now, "static")
    assert entry["link_local"] == "fe80::2001:db8:1000:2000"
    assert entry["prefixes"] == [str(ACP)]
    assert entry["expires_in"] == 60
    assert entry["links"] == [{"link_id": 0, "preference": 255, "address": "192.0.2.77", "port": 41000}]
    assert link.s1.routes == {ACP}
    link.run(59)
    assert link.s1.routes == {ACP}
    link.run(1)
    assert link.s1.routes == set()
    assert link.s1.node.neighbors(link.now, "static") == []


@pytest.mark.parametrize(
    "message",
    [
        granting(kind=ADVERTISE),
        granting(valid=0),
        granting(C1, 7200, REPLY, StatusCode(STATUS_NO_PREFIX_AVAIL)),
        granting().with_options(StatusCode(STATUS_UNSPEC_FAIL)),
        granting().without(ClientId),
        granting().without(IAPD).with_options(IAPD(1, 0, 0, (IAPrefix(60, 60, 56, bytes(16)),))),
        granting()
        .without(IAPD)
        .with_options(IAPD(1, 0, 0, (IAPrefix(60, 60, 80, parse_address("2001:db8::")),))),
    ],
)
def test_what_is_no_grant_makes_nothing(message) -> None:
    """D6: an Advertise, lifetime 0, a failure status, no Client, no ACP of this link."""
    link = idle()
    (packet,) = from_client(link, solicit())
    assert len(to_server(link, relayed(packet), message)) == 1
    assert link.s1.node.neighbors(link.now, "static") == []
    assert link.s1.routes == set()


def test_two_acps_are_one_neighbor() -> None:
    """A Client with an IPv6 and an IPv4 ACP has one entry."""
    link = Link().settled()
    (entry,) = link.s1.node.neighbors(link.now, "static")
    assert entry["prefixes"] == TABLE[C1]


def test_an_acp_that_moves_to_another_client() -> None:
    """The table decides: the old Client loses it."""
    link = idle()
    for duid, remote in ((C1, CLIENT_AT), (C2, lla("192.0.2.78"))):
        (packet,) = from_client(link, solicit(duid), remote=remote)
        to_server(link, relayed(packet), granting(duid))
    (entry,) = link.s1.node.neighbors(link.now, "static")
    assert entry["links"][0]["address"] == "192.0.2.78"
    assert link.s1.routes == {ACP}


def test_release_ends_after_the_grace() -> None:
    """Section 13.4: route and entry stay 5 s for what is under way."""
    link = Link().settled()
    link.c1.node.release(link.now)
    link.run(4.5)
    assert link.s1.routes
    link.run(1)
    assert link.s1.routes == set()
    assert link.s1.node.leases(link.now) == []
    assert link.s1.kea.leases == {}
    assert link.r1.node.status(link.now)["routes"] == 2


def test_a_release_by_another_client_harms_nobody() -> None:
    """The DUID decides, not the source address the Release pretends."""
    link = Link().settled()
    release = Message(8, 5, (ClientId(C2), ServerId(link.s1.kea.server_id), IAPD(1)))
    udp = build_udp(parse_address("fe80::2001:db8:1000:2000"), ALL_DHCP_AGENTS, 546, 547, pack(release))
    packet = build_ipv6(parse_address("fe80::2001:db8:1000:2000"), ALL_DHCP_AGENTS, UDP, udp)
    link.s1.inject(packet, lla("203.0.113.102"))
    link.run(10)
    assert len(link.s1.routes) == 2


def test_the_last_link_cannot_be_given_up() -> None:
    """O-42: UnspecFail, and the link stays as it was."""
    link = Link().settled()
    departing = vendor.encode([vendor.AllaReq(0, 0)], "rfc8415")
    rebind = Message(6, 5, (ClientId(C1), IAPD(1), *departing))
    (packet,) = from_client(link, rebind, source=parse_address("fe80::2001:db8:1000:2000"))
    (datagram,) = to_server(link, relayed(packet), granting())
    payload = parse_udp(S1, parse_address("fe80::2001:db8:1000:2000"), datagram.payload[40:]).payload
    assert unpack(payload).find(StatusCode).status == STATUS_UNSPEC_FAIL
    assert unpack(payload).find_all(IAPD) == ()
    assert link.s1.node.neighbors(link.now, "static")[0]["links"][0]["preference"] == 255


def sent_to_client(link: Link, message: Message) -> Message:
    (packet,) = from_client(link, solicit(C1, *vendor.encode([vendor.AllaReq(1, 200)], "draft52")))
    forward = relayed(packet)
    if message.find(VendorOptions) is None:
        message = message.with_options(*forward.find(SuppliedOptions).options)
    (datagram,) = to_server(link, forward, message)
    return unpack(parse_udp(S1, UNASSIGNED_CLIENT, datagram.payload[40:]).payload)


def test_draft_layout_of_the_reply() -> None:
    """D5: ``draft52`` gives ALLAREP and ASPADV the draft's bytes, one option each."""
    reply = sent_to_client(idle("draft52"), granting())
    first, second = reply.find_all(VendorOptions)
    assert first.data == bytes.fromhex("010001c8a028") + CLIENT_AT.ip
    assert second.data == bytes.fromhex("02000020 20010db800000000 00000018 0000ffffc6336400")
    assert reply.find(IAPD) == granting().find(IAPD)


def test_a_server_that_returns_no_options() -> None:
    """O-32: then they are added on the way."""
    foreign = VendorOptions(9, b"cisco")
    reply = sent_to_client(idle(), granting().with_options(foreign))
    assert vendor.decode(reply.options) == (vendor.AllaRep(1, 200, CLIENT_AT), vendor.AspAdv(ASPS))


def test_behind_a_nat() -> None:
    """AERO-118, 133: the address the Server sees is told, used, and known as a NAT's."""
    nat = Nat("203.0.113.200")
    link = Link(c1=("10.77.0.2",), nat=nat).settled()
    (lease,) = link.c1.node.leases(link.now)
    assert lease["seen_as"] == {"address": "203.0.113.200", "port": 40001}
    assert lease["behind_nat"] is True
    assert link.c2.node.leases(link.now)[0]["behind_nat"] is False
