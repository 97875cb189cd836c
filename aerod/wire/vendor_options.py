# SPDX-License-Identifier: GPL-3.0-or-later
"""AERO's vendor options in DHCPv6: ALLAREQ, ALLAREP and ASPADV (draft section 3.15).

All travel in OPTION_VENDOR_OPTS with enterprise number 45282, in one of two layouts.  The
draft's flat one, ``draft52``, has the bytes of one AERO option right behind the enterprise
number; RFC 8415 section 21.17 wants code/length/value triples there, and stock DHCPv6 servers
drop messages that have anything else.  So ``rfc8415`` wraps the same bytes: the sub-option code
is the AERO type, the value is all that the draft puts behind the enterprise number, type
included, and all AERO options of a message share one vendor option.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

from aerod.address import LINK_LOCAL_PREFIX, MAPPED_PREFIX, MAPPED_PREFIX_LENGTH, LinkLayerAddress, Prefix
from aerod.wire.dhcpv6_options import Option, VendorOptions
from aerod.wire.errors import MalformedPacket

ENTERPRISE = 45282

LAYOUT_RFC8415 = "rfc8415"
LAYOUT_DRAFT52 = "draft52"

_TRIPLE_HEADER = struct.Struct("!HH")
_REQUEST = struct.Struct("!BxBB")
_REPLY = struct.Struct("!BxBBH16s")
_ASP_RECORD = struct.Struct("!3xB8s")
_LONGEST_IPV6 = 64
_LONGEST_IPV4 = 32
_MAPPED_IDENTIFIER = MAPPED_PREFIX[8:]


@dataclass(frozen=True, slots=True)
class AllaReq:
    """A Client's request to learn its link-layer address; the defaults stand for its absence."""

    type: ClassVar[int] = 0
    link_id: int = 0
    preference: int = 255

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        _require(len(data) == _REQUEST.size, cls, "is not 4 bytes")
        return cls(*_REQUEST.unpack(data)[1:])

    def pack(self) -> bytes:
        return _REQUEST.pack(self.type, self.link_id, self.preference)


@dataclass(frozen=True, slots=True)
class AllaRep:
    """The link-layer address of a Client as its Server sees it."""

    type: ClassVar[int] = 1
    link_id: int
    preference: int
    address: LinkLayerAddress

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        _require(len(data) == _REPLY.size, cls, "is not 22 bytes")
        _unused, link_id, preference, port, address = _REPLY.unpack(data)
        return cls(link_id, preference, LinkLayerAddress(address, port))

    def pack(self) -> bytes:
        address, port = self.address
        return _REPLY.pack(self.type, self.link_id, self.preference, port, address)


@dataclass(frozen=True, slots=True)
class AspAdv:
    """The ASPs of the link, at least one.

    The draft gives the first record a type byte and two reserved bytes, each other record
    three reserved bytes: twelve-byte records all, with the type in the first reserved byte.
    """

    type: ClassVar[int] = 2
    prefixes: tuple[Prefix, ...]

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        _require(data and len(data) % _ASP_RECORD.size == 0, cls, "is not a multiple of 12 bytes")
        return cls(_read_asps(data))

    def pack(self) -> bytes:
        return bytes([self.type]) + _asp_records(self.prefixes)[1:]


AeroOption = AllaReq | AllaRep | AspAdv

_KINDS: dict[int, type[AeroOption]] = {kind.type: kind for kind in (AllaReq, AllaRep, AspAdv)}


# All messages of a link say the same.
@lru_cache(maxsize=16)
def _read_asps(data: bytes) -> tuple[Prefix, ...]:
    return tuple(_asp(length, identifier) for length, identifier in _ASP_RECORD.iter_unpack(data))


@lru_cache(maxsize=16)
def _asp_records(asps: tuple[Prefix, ...]) -> bytes:
    return b"".join(_ASP_RECORD.pack(asp.native_length, _identifier(asp)) for asp in asps)


def _asp(length: int, identifier: bytes) -> Prefix:
    """Return the ASP of one record; IPv4 is told by ``0000:ffff`` and a length of 32 or less."""
    if identifier.startswith(_MAPPED_IDENTIFIER) and length <= _LONGEST_IPV4:
        return Prefix.masked(MAPPED_PREFIX + identifier[4:], MAPPED_PREFIX_LENGTH + length)
    _require(length <= _LONGEST_IPV6, AspAdv, f"has prefix length {length}")
    return Prefix.masked(identifier + bytes(8), length)


def _identifier(asp: Prefix) -> bytes:
    return asp.aero_address[len(LINK_LOCAL_PREFIX) :]


def encode(values: Iterable[AeroOption], layout: str) -> tuple[VendorOptions, ...]:
    """Return the vendor options that carry ``values`` in the given layout."""
    packed = [value.pack() for value in values]
    if packed and layout == LAYOUT_RFC8415:
        packed = [b"".join(_TRIPLE_HEADER.pack(data[0], len(data)) + data for data in packed)]
    return tuple(VendorOptions(ENTERPRISE, data) for data in packed)


def decode(options: Iterable[Option]) -> tuple[AeroOption, ...]:
    """Return all AERO options found in ``options``, in either layout.

    An AERO option of unknown type or wrong length is left out, the others stand.
    """
    return tuple(
        value
        for option in options
        if isinstance(option, VendorOptions) and option.enterprise == ENTERPRISE
        for value in _read(option.data)
    )


def _read(data: bytes) -> Iterator[AeroOption]:
    for kind, value in [(data[0], data)] if _is_flat(data) else _triples(data):
        if kind in _KINDS and value[:1] == bytes([kind]):
            try:
                yield _KINDS[kind].unpack(value)
            except MalformedPacket:
                continue


def _is_flat(data: bytes) -> bool:
    """Whether the data is in the draft's layout.

    A sub-option code of AERO starts with a zero byte, which as a flat option means ALLAREQ: four
    bytes with a zero second byte.  Those four as a triple would be sub-option 0 without value.
    """
    return bool(data) and (data[0] != 0 or (len(data) == _REQUEST.size and data[1] == 0))


def _triples(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield code and value of each sub-option, up to the first that is cut short."""
    offset = 0
    while len(data) - offset >= _TRIPLE_HEADER.size:
        code, length = _TRIPLE_HEADER.unpack_from(data, offset)
        offset += _TRIPLE_HEADER.size
        if length > len(data) - offset:
            return
        yield code, data[offset : offset + length]
        offset += length


def _require(condition: object, kind: type, what: str) -> None:
    if not condition:
        raise MalformedPacket(f"AERO option {kind.type} ({kind.__name__}) {what}")
