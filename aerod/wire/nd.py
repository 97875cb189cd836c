# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 ND messages on an AERO link (RFC 4861 section 4; draft sections 3.4 and 3.17.3).

They are whole IPv6 packets between two link-local unicast addresses with hop limit 255.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from aerod.address import embedded, is_link_local, is_multicast
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import ICMPV6, IPHeader, build_ipv6, parse_ip
from aerod.wire.nd_options import Option, pack_options, unpack_options
from aerod.wire.options import HasOptions

HOP_LIMIT = 255

ROUTER_SOLICITATION = 133
ROUTER_ADVERTISEMENT = 134
NEIGHBOR_SOLICITATION = 135
NEIGHBOR_ADVERTISEMENT = 136
REDIRECT = 137

_ICMP_HEADER_LENGTH = 4
_TYPES = range(ROUTER_SOLICITATION, REDIRECT + 1)
_LONGEST_IPV6_ACP = 64
_LONGEST_IPV4_ACP = 32

# The fixed parts behind the checksum.
_RS = struct.Struct("!4x")
_RA = struct.Struct("!BBHII")
_NS = struct.Struct("!4x16s")
_NA = struct.Struct("!B3x16s")
_REDIRECT = struct.Struct("!3xB16s16s")

_RA_MANAGED, _RA_OTHER = 0x80, 0x40
_NA_ROUTER, _NA_SOLICITED, _NA_OVERRIDE = 0x80, 0x40, 0x20


@dataclass(frozen=True, slots=True)
class RouterSolicitation(HasOptions):
    """Asks a router for a sign of life."""

    type: ClassVar[int] = ROUTER_SOLICITATION
    code: ClassVar[int] = 0
    fixed: ClassVar[struct.Struct] = _RS
    options: tuple[Option, ...] = ()

    @classmethod
    def from_fields(cls, fields: tuple, options: tuple[Option, ...]) -> Self:
        return cls(options)

    def fields(self) -> tuple:
        return ()


@dataclass(frozen=True, slots=True)
class RouterAdvertisement(HasOptions):
    """A router's sign of life; lifetime in seconds, reachable time and retransmission timer in ms."""

    type: ClassVar[int] = ROUTER_ADVERTISEMENT
    code: ClassVar[int] = 0
    fixed: ClassVar[struct.Struct] = _RA
    router_lifetime: int
    hop_limit: int = 0
    managed: bool = False
    other: bool = False
    reachable_time: int = 0
    retrans_timer: int = 0
    options: tuple[Option, ...] = ()

    @classmethod
    def from_fields(cls, fields: tuple, options: tuple[Option, ...]) -> Self:
        hop_limit, flags, lifetime, reachable, retrans = fields
        managed, other = bool(flags & _RA_MANAGED), bool(flags & _RA_OTHER)
        return cls(lifetime, hop_limit, managed, other, reachable, retrans, options)

    def fields(self) -> tuple:
        flags = _RA_MANAGED * self.managed | _RA_OTHER * self.other
        return self.hop_limit, flags, self.router_lifetime, self.reachable_time, self.retrans_timer


@dataclass(frozen=True, slots=True)
class NeighborSolicitation(HasOptions):
    """Asks whether ``target`` (16 bytes) is reachable."""

    type: ClassVar[int] = NEIGHBOR_SOLICITATION
    code: ClassVar[int] = 0
    fixed: ClassVar[struct.Struct] = _NS
    target: bytes
    options: tuple[Option, ...] = ()

    @classmethod
    def from_fields(cls, fields: tuple, options: tuple[Option, ...]) -> Self:
        return cls(*fields, options)

    def fields(self) -> tuple:
        return (self.target,)


@dataclass(frozen=True, slots=True)
class NeighborAdvertisement(HasOptions):
    """Says that ``target`` (16 bytes) is here, asked or not, and on which links."""

    type: ClassVar[int] = NEIGHBOR_ADVERTISEMENT
    code: ClassVar[int] = 0
    fixed: ClassVar[struct.Struct] = _NA
    target: bytes
    router: bool = False
    solicited: bool = False
    override: bool = False
    options: tuple[Option, ...] = ()

    @classmethod
    def from_fields(cls, fields: tuple, options: tuple[Option, ...]) -> Self:
        flags, target = fields
        router, solicited = bool(flags & _NA_ROUTER), bool(flags & _NA_SOLICITED)
        return cls(target, router, solicited, bool(flags & _NA_OVERRIDE), options)

    def fields(self) -> tuple:
        flags = _NA_ROUTER * self.router | _NA_SOLICITED * self.solicited | _NA_OVERRIDE * self.override
        return flags, self.target


@dataclass(frozen=True, slots=True)
class _Redirection(HasOptions):
    """Target and destination are 16 bytes; ``prefix_length`` is native, 0-64 or for IPv4 0-32."""

    type: ClassVar[int] = REDIRECT
    fixed: ClassVar[struct.Struct] = _REDIRECT
    target: bytes
    destination: bytes
    prefix_length: int
    options: tuple[Option, ...] = ()

    @classmethod
    def from_fields(cls, fields: tuple, options: tuple[Option, ...]) -> Self:
        prefix_length, target, destination = fields
        longest = _LONGEST_IPV4_ACP if embedded(target)[0] == "ipv4" else _LONGEST_IPV6_ACP
        _require(prefix_length <= longest, f"prefix length {prefix_length}")
        _require(not is_multicast(destination), "destination is multicast")
        _require(is_link_local(target) or target == destination, "target is not link-local")
        return cls(target, destination, prefix_length, options)

    def fields(self) -> tuple:
        return self.prefix_length, self.target, self.destination


class Redirect(_Redirection):
    """The target's permission to send straight to it (code 0)."""

    __slots__ = ()
    code: ClassVar[int] = 0


class Predirect(_Redirection):
    """The question whether one may send straight to the target (code 1)."""

    __slots__ = ()
    code: ClassVar[int] = 1


Message = (
    RouterSolicitation
    | RouterAdvertisement
    | NeighborSolicitation
    | NeighborAdvertisement
    | Redirect
    | Predirect
)

_KINDS: dict[tuple[int, int], type[Message]] = {
    (kind.type, kind.code): kind
    for kind in (
        RouterSolicitation,
        RouterAdvertisement,
        NeighborSolicitation,
        NeighborAdvertisement,
        Redirect,
        Predirect,
    )
}


def is_nd(packet: bytes | memoryview, header: IPHeader) -> bool:
    """Whether the parsed packet has the type of an ND message; it may still be malformed."""
    if header.version != 6 or header.protocol != ICMPV6 or header.total_length == header.payload_offset:
        return False
    return packet[header.payload_offset] in _TYPES


def unpack(packet: bytes | memoryview, header: IPHeader | None = None) -> Message:
    """Return the ND message in an IPv6 packet; MalformedPacket if RFC 4861 says to discard it.

    Bytes behind the packet's own length are ignored, a probe has some.
    """
    header = header or parse_ip(packet)
    _require(header.version == 6 and header.protocol == ICMPV6, "not ICMPv6")
    _require(header.hop_limit == HOP_LIMIT, f"hop limit {header.hop_limit}")
    _require(is_link_local(header.source), "source is not link-local")
    _require(is_link_local(header.destination), "destination is not link-local")
    message = bytes(packet[header.payload_offset : header.total_length])
    _require(len(message) >= _ICMP_HEADER_LENGTH, "cut short")
    kind = _KINDS.get((message[0], message[1]))
    _require(kind is not None, f"type {message[0]} code {message[1]}")
    pseudo = pseudo_header(header.source, header.destination, len(message), ICMPV6)
    _require(internet_checksum(pseudo, message) == 0, "checksum is wrong")
    options_offset = _ICMP_HEADER_LENGTH + kind.fixed.size
    _require(len(message) >= options_offset, "cut short")
    fields = kind.fixed.unpack_from(message, _ICMP_HEADER_LENGTH)
    return kind.from_fields(fields, unpack_options(message[options_offset:]))


def pack(message: Message, source: bytes, destination: bytes) -> bytes:
    """Return the IPv6 packet that carries ``message`` between two link-local addresses."""
    start = bytes([message.type, message.code])
    rest = message.fixed.pack(*message.fields()) + pack_options(message.options)
    length = _ICMP_HEADER_LENGTH + len(rest)
    checksum = internet_checksum(pseudo_header(source, destination, length, ICMPV6), start, rest)
    return build_ipv6(source, destination, ICMPV6, start + checksum.to_bytes(2, "big") + rest, HOP_LIMIT)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise MalformedPacket(f"ND message: {what}")
