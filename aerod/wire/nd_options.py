# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of IPv6 ND messages on an AERO link (RFC 4861 section 4.6, RFC 3971 section 5.3, draft 3.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from aerod.address import LinkLayerAddress
from aerod.wire.errors import MalformedPacket

SOURCE_LINK_LAYER_ADDRESS = 1
TARGET_LINK_LAYER_ADDRESS = 2

_UNIT = 8
_HEADER_LENGTH = 2
_RESERVED = bytes(6)
# reserved, Link ID, Preference, UDP port, address
_LINK_LAYER_ADDRESS = struct.Struct("!2xBBH16s")
_SMALLEST_NONCE = 6


@dataclass(frozen=True, slots=True)
class UnknownOption:
    """An option without meaning here: type and all that follows the length byte."""

    type: int
    body: bytes

    def pack_body(self) -> bytes:
        return self.body


@dataclass(frozen=True, slots=True)
class LinkLayerOption:
    """AERO's source or target link-layer address option, 24 bytes (draft section 3.4).

    Preference 255 is best, 1 worst, 0 disables the link; port and address of zero are for
    the Server on the way to fill in.
    """

    type: int
    link_id: int
    preference: int
    address: LinkLayerAddress

    @property
    def is_target(self) -> bool:
        return self.type == TARGET_LINK_LAYER_ADDRESS

    @classmethod
    def unpack(cls, kind: int, body: bytes) -> Self | UnknownOption:
        if len(body) != _LINK_LAYER_ADDRESS.size:
            return UnknownOption(kind, body)
        link_id, preference, port, ip = _LINK_LAYER_ADDRESS.unpack(body)
        return cls(kind, link_id, preference, LinkLayerAddress(ip, port))

    def pack_body(self) -> bytes:
        ip, port = self.address
        return _LINK_LAYER_ADDRESS.pack(self.link_id, self.preference, port, ip)


@dataclass(frozen=True, slots=True)
class RedirectedHeader:
    """The start of the packet that caused a Redirect or Predirect, zero-padded to a multiple of 8."""

    type: ClassVar[int] = 4
    packet: bytes

    @classmethod
    def unpack(cls, kind: int, body: bytes) -> Self:
        _require(len(body) >= len(_RESERVED), kind, "is cut short")
        return cls(body[len(_RESERVED) :])

    def pack_body(self) -> bytes:
        return _RESERVED + self.packet + bytes(-len(self.packet) % _UNIT)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The sender's time in 1/65536 s since 1970 (64 bits)."""

    type: ClassVar[int] = 13
    value: int

    @classmethod
    def unpack(cls, kind: int, body: bytes) -> Self:
        _require(len(body) == len(_RESERVED) + 8, kind, "is not 16 bytes")
        return cls(int.from_bytes(body[len(_RESERVED) :], "big"))

    def pack_body(self) -> bytes:
        return _RESERVED + self.value.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Nonce:
    """Random bytes that tie an answer to its question: 6, or 8 more any number of times."""

    type: ClassVar[int] = 14
    value: bytes

    @classmethod
    def unpack(cls, kind: int, body: bytes) -> Self:
        _require(len(body) >= _SMALLEST_NONCE, kind, "is cut short")
        return cls(body)

    def pack_body(self) -> bytes:
        return self.value


Option = LinkLayerOption | RedirectedHeader | Timestamp | Nonce | UnknownOption

_KINDS: dict[int, type[Option]] = {
    SOURCE_LINK_LAYER_ADDRESS: LinkLayerOption,
    TARGET_LINK_LAYER_ADDRESS: LinkLayerOption,
    RedirectedHeader.type: RedirectedHeader,
    Timestamp.type: Timestamp,
    Nonce.type: Nonce,
}


def unpack_options(data: bytes) -> tuple[Option, ...]:
    """Return the options of a message; MalformedPacket if one has length zero or leaves the message.

    Unknown options, and link-layer addresses that are not AERO's, come as :class:`UnknownOption`.
    """
    options: list[Option] = []
    offset = 0
    while offset < len(data):
        length = data[offset + 1] * _UNIT if offset + 1 < len(data) else 0
        if length == 0:
            raise MalformedPacket("ND option has length zero", offset)
        if offset + length > len(data):
            raise MalformedPacket("ND option is longer than its message", offset)
        kind = data[offset]
        body = data[offset + _HEADER_LENGTH : offset + length]
        options.append(_KINDS[kind].unpack(kind, body) if kind in _KINDS else UnknownOption(kind, body))
        offset += length
    return tuple(options)


def pack_options(options: Iterable[Option]) -> bytes:
    """Return the options one after the other; ValueError if one is no multiple of 8 bytes or too long."""
    return b"".join(_pack_option(option) for option in options)


def _pack_option(option: Option) -> bytes:
    body = option.pack_body()
    units, rest = divmod(_HEADER_LENGTH + len(body), _UNIT)
    if rest:
        raise ValueError(f"ND option {option.type} of {len(body)} bytes is no multiple of 8 with its header")
    return bytes([option.type, units]) + body


def _require(condition: bool, kind: int, what: str) -> None:
    if not condition:
        raise MalformedPacket(f"ND option {kind} {what}")
