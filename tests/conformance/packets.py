# SPDX-License-Identifier: GPL-3.0-or-later
"""AERO's formats as the suite reads and writes them: by scapy and by hand, never by aerod's code.

Those of DHCPv6 and addresses come along, so that a test needs ``packets as p`` alone.

Whatever is sent can be wrong on purpose: all builders return bytes that a test may cut, flip and join.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from scapy.config import conf
from scapy.fields import BitField, ByteField, ConditionalField, IntField, StrFixedLenField, XShortField
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    IPv6,
)
from scapy.packet import Packet, Raw

from tests.conformance.addresses import mapped, same, unmapped
from tests.conformance.dhcpv6 import (
    ADVERTISE,
    ALLAREP,
    ALLAREQ,
    ASPADV,
    AUTH,
    CLIENT_ID,
    ELAPSED,
    ENTERPRISE,
    IA_PD,
    IA_PREFIX,
    INTERFACE_ID,
    LAYOUTS,
    NO_BINDING,
    NO_PREFIX,
    ORO,
    RAPID_COMMIT,
    REBIND,
    RECONFIGURE,
    RELAY_FORWARD,
    RELAY_REPLY,
    RELAYED,
    RELEASE,
    RENEW,
    REPLY,
    REQUEST,
    RSOO,
    SERVER_ID,
    SOLICIT,
    STATUS,
    VENDOR,
    Dhcp,
    Option,
    allarep,
    allareq,
    aspadv,
    field,
    ia_pd,
    pack_options,
    parse_options,
    vendor,
)

# What tests find here although it stands elsewhere.
__all__ = [
    "ADVERTISE",
    "ALLAREP",
    "ALLAREQ",
    "ASPADV",
    "AUTH",
    "CLIENT_ID",
    "Dhcp",
    "ELAPSED",
    "ENTERPRISE",
    "IA_PD",
    "IA_PREFIX",
    "INTERFACE_ID",
    "LAYOUTS",
    "NO_BINDING",
    "NO_PREFIX",
    "ORO",
    "Option",
    "RAPID_COMMIT",
    "REBIND",
    "RECONFIGURE",
    "RELAYED",
    "RELAY_FORWARD",
    "RELAY_REPLY",
    "RELEASE",
    "RENEW",
    "REPLY",
    "REQUEST",
    "RSOO",
    "SERVER_ID",
    "SOLICIT",
    "STATUS",
    "VENDOR",
    "allarep",
    "allareq",
    "aspadv",
    "field",
    "ia_pd",
    "mapped",
    "pack_options",
    "parse_options",
    "same",
    "unmapped",
    "vendor",
]

conf.verb = 0

AERO_PORT = 8060
GUE_PORT = 6080
UNASSIGNED = "fe80::ffff:ffff:ffff:ffff"
ALL_AGENTS = "ff02::1:2"


# Addresses


def aero_address(prefix: str) -> str:
    """The AERO address of an ACP (section 3.3)."""
    network = ipaddress.ip_network(prefix, strict=False)
    if network.version == 4:
        identifier = bytes(2) + b"\xff\xff" + network.network_address.packed
    else:
        identifier = network.network_address.packed[:8]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))


# Encapsulation (section 3.10)


class AERO(Packet):
    """The AERO header; flags decide which fields there are."""

    name = "AERO"
    fields_desc = [
        BitField("version", 0, 4),
        BitField("N", 1, 1),
        BitField("F", 0, 1),
        BitField("C", 0, 1),
        BitField("S", 0, 1),
        ConditionalField(ByteField("nh", 41), lambda p: p.N),
        ConditionalField(BitField("frag", 0, 13), lambda p: p.F),
        ConditionalField(BitField("res", 0, 2), lambda p: p.F),
        ConditionalField(BitField("M", 0, 1), lambda p: p.F),
        ConditionalField(IntField("ident", 0), lambda p: p.F),
        ConditionalField(XShortField("chksum", 0), lambda p: p.C),
        ConditionalField(StrFixedLenField("signature", b"", 20), lambda p: p.S),
    ]

    @property
    def body(self) -> bytes:
        """What follows the header."""
        return bytes(self.payload)


class GUE(Packet):
    """Generic UDP encapsulation, version 0, with the fragmentation field."""

    name = "GUE"
    fields_desc = [
        BitField("version", 0, 2),
        BitField("C", 0, 1),
        BitField("hlen", 0, 5),
        ByteField("proto", 41),
        XShortField("flags", 0),
        ConditionalField(BitField("frag", 0, 13), lambda p: p.flags & 0x0800),
        ConditionalField(BitField("res", 0, 2), lambda p: p.flags & 0x0800),
        ConditionalField(BitField("M", 0, 1), lambda p: p.flags & 0x0800),
        ConditionalField(ByteField("orig", 41), lambda p: p.flags & 0x0800),
        ConditionalField(ByteField("res2", 0), lambda p: p.flags & 0x0800),
        ConditionalField(IntField("ident", 0), lambda p: p.flags & 0x0800),
    ]

    @property
    def body(self) -> bytes:
        """What follows the header."""
        return bytes(self.payload)


def fragment(packet: bytes, offset: int, end: int | None, ident: int, nh: int | None = None) -> bytes:
    """The tunnel fragment ``packet[offset:end]``; ``end`` None is the last one."""
    number = nh if nh is not None else (41 if packet[0] >> 4 == 6 else 4)
    header = AERO(F=1, nh=number, frag=offset // 8, M=int(end is not None), ident=ident)
    return bytes(header) + packet[offset:end]


def internet_checksum(data: bytes) -> int:
    """The 16-bit one's complement checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


# Inner packets


def echo(
    source: str, destination: str, size: int = 64, ident: int = 1, seq: int = 1, reply: bool = False, **header
) -> bytes:
    """An ICMP echo request or reply of ``size`` bytes, IP header included; ``header`` sets fields of it."""
    if ":" in source:
        kind = ICMPv6EchoReply if reply else ICMPv6EchoRequest
        return bytes(
            IPv6(src=source, dst=destination, **header) / kind(id=ident, seq=seq, data=_filler(size - 48))
        )
    icmp = ICMP(type=0 if reply else 8, id=ident, seq=seq)
    return bytes(IP(src=source, dst=destination, **header) / icmp / Raw(_filler(size - 28)))


def udp(
    source: str, destination: str, size: int = 64, sport: int = 4000, dport: int = 4001, **header
) -> bytes:
    """A UDP packet of ``size`` bytes, IP header included."""
    ip = (IPv6 if ":" in source else IP)(src=source, dst=destination, **header)
    return bytes(ip / UDP(sport=sport, dport=dport) / Raw(_filler(size - 8 - (40 if ":" in source else 20))))


def _filler(length: int) -> bytes:
    return (bytes(range(256)) * (length // 256 + 1))[: max(0, length)]


def ip(data: bytes) -> IP | IPv6 | None:
    """An IP packet as scapy has it, None if it is none."""
    if not data or data[0] >> 4 not in (4, 6):
        return None
    return (IP if data[0] >> 4 == 4 else IPv6)(data)


# Neighbor Discovery (section 3.4): options by hand, for scapy takes a S/TLLAO for a MAC address

SLLAO, TLLAO, REDIRECTED, TIMESTAMP, NONCE = 1, 2, 4, 13, 14
RS, RA, NS, NA, REDIRECT = 133, 134, 135, 136, 137
_FIXED = {RS: 8, RA: 16, NS: 24, NA: 24, REDIRECT: 40}


@dataclass(frozen=True)
class LinkLayer:
    """A S/TLLAO: 24 bytes."""

    kind: int
    link_id: int
    preference: int
    port: int
    address: str

    def pack(self) -> bytes:
        fixed = struct.pack("!BBHBBH", self.kind, 3, 0, self.link_id, self.preference, self.port)
        return fixed + mapped(self.address)

    @classmethod
    def parse(cls, data: bytes) -> LinkLayer:
        kind, length, reserved, link_id, preference, port = struct.unpack_from("!BBHBBH", data)
        assert (length, reserved, len(data)) == (3, 0, 24), data.hex()
        return cls(kind, link_id, preference, port, unmapped(data[8:]))


def tllao(link_id: int = 0, preference: int = 255, port: int = 0, address: str = "::") -> bytes:
    return LinkLayer(TLLAO, link_id, preference, port, address).pack()


def sllao(link_id: int = 0, preference: int = 255, port: int = 0, address: str = "::") -> bytes:
    return LinkLayer(SLLAO, link_id, preference, port, address).pack()


def nonce(value: bytes = b"\1\2\3\4\5\6") -> bytes:
    return bytes([NONCE, (len(value) + 2) // 8]) + value


def timestamp(seconds: float) -> bytes:
    return struct.pack("!BB6xQ", TIMESTAMP, 2, int(seconds * 65536))


def redirected(packet: bytes) -> bytes:
    padded = packet + bytes(-len(packet) % 8)
    return struct.pack("!BB6x", REDIRECTED, 1 + len(padded) // 8) + padded


def neighbor_solicitation(
    source: str, destination: str, options: bytes = b"", target: str = "", **header
) -> bytes:
    message = ICMPv6ND_NS(tgt=target or destination)
    return _nd(source, destination, message, options, header)


def neighbor_advertisement(
    source: str,
    destination: str,
    options: bytes = b"",
    target: str = "",
    R=0,
    S=1,
    O=1,  # noqa: E741 - the name of the flag (RFC 4861)
    **header,
) -> bytes:
    message = ICMPv6ND_NA(tgt=target or source, R=R, S=S, O=O)
    return _nd(source, destination, message, options, header)


def router_solicitation(source: str, destination: str, options: bytes = b"", **header) -> bytes:
    return _nd(source, destination, ICMPv6ND_RS(), options, header)


def router_advertisement(
    source: str, destination: str, options: bytes = b"", lifetime: int = 0, **header
) -> bytes:
    return _nd(source, destination, ICMPv6ND_RA(chlim=0, routerlifetime=lifetime), options, header)


def redirect(
    source: str, destination: str, target: str, about: str, prefix_length: int, options: bytes = b"",
    code: int = 0, **header,
) -> bytes:  # fmt: skip
    """A Redirect (code 0) or Predirect (code 1); ``about`` is the Destination Address."""
    message = ICMPv6ND_Redirect(code=code, res=prefix_length, tgt=target, dst=about)
    return _nd(source, destination, message, options, header)


def _nd(source: str, destination: str, message: Packet, options: bytes, header: dict) -> bytes:
    fields = {"hlim": 255, **header}
    return bytes(IPv6(src=source, dst=destination, **fields) / message / Raw(options))


def nd_type(packet: bytes) -> int | None:
    """The ICMPv6 type of an ND message, None if the packet is none."""
    if len(packet) > 40 and packet[0] >> 4 == 6 and packet[6] == 58 and packet[40] in _FIXED:
        return packet[40]
    return None


def nd_options(packet: bytes) -> list[tuple[int, bytes]]:
    """Type and bytes of each option of an ND message; what stands after the packet is left out."""
    end = 40 + struct.unpack_from("!H", packet, 4)[0]
    at, found = 40 + _FIXED[packet[40]], []
    while at < end:
        length = packet[at + 1] * 8
        assert length, "option of length 0"
        found.append((packet[at], packet[at : at + length]))
        at += length
    return found


def nd_option(packet: bytes, kind: int) -> bytes | None:
    """The first option of a type."""
    return next((data for number, data in nd_options(packet) if number == kind), None)


def checksum_is_right(packet: bytes) -> bool:
    """Whether the ICMPv6 checksum of a packet without extension headers holds."""
    length = struct.unpack_from("!H", packet, 4)[0]
    pseudo = packet[8:40] + struct.pack("!II", length, packet[6])
    return internet_checksum(pseudo + packet[40 : 40 + length]) == 0


# DHCPv6 as inner packets


def dhcp_packet(
    source: str, destination: str, message: Dhcp | bytes, to_server: bool = True, **header
) -> bytes:
    """A DHCPv6 message as an inner packet."""
    ports = {"sport": 546, "dport": 547} if to_server else {"sport": 547, "dport": 546}
    data = message if isinstance(message, bytes) else message.pack()
    fields = {"hlim": 255, **header}
    # Raw beneath, and bytes at once: scapy's own DHCPv6 would choke on AERO's options.
    return bytes(IPv6(src=source, dst=destination, **fields) / UDP(**ports) / Raw(data))


def dhcp(packet: bytes) -> Dhcp | None:
    """The DHCPv6 message in an inner packet, None if there is none."""
    if len(packet) < 52 or packet[0] >> 4 != 6 or packet[6] != 17:
        return None
    if not {546, 547} & set(struct.unpack_from("!HH", packet, 40)):
        return None
    length = struct.unpack_from("!H", packet, 44)[0]
    return Dhcp.parse(packet[48 : 40 + length])
