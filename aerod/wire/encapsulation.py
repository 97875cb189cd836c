# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows the UDP header on port 8060 (draft section 3.10): an inner packet, or an AERO header first.

The AERO header::

    byte 0    version (4 bits, 0), N, F, C, S
    byte 1    Next Header: always here, as N is always 1
    F = 1     fragment offset in 8-byte units (13 bits), reserved (2), more (1), identification (32)
    C = 1     checksum (16)
    S = 1     signature: key ID (4 bytes) and HMAC-SHA-256 cut to 16 bytes

Fields whose flag is 0 take no space.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from aerod.address import LinkLayerAddress
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPV4, IPV6, UDP

# Bytes around an inner packet: outer IP, UDP and the AERO header, whose fragment fields count
# even where a packet has none (draft section 3.13).
ENCAPS_IPV4 = 20 + 8 + 8
ENCAPS_IPV6 = 40 + 8 + 8

SIGNATURE_LENGTH = 20

_NEXT_HEADER = 0x08
_FRAGMENT = 0x04
_CHECKSUM = 0x02
_SIGNATURE = 0x01
_FLAGS = 0x0F

_UDP_HEADER_LENGTH = 8
_FRAGMENT_FIELDS = struct.Struct("!HI")
_UDP_HEADER = struct.Struct("!HHHH")
# The offset sits above three low bits and counts 8 bytes, so the masked word is the byte offset.
_OFFSET_MASK = 0xFFF8
_MORE = 0x0001

_INNER_VERSIONS = {IPV4: 4, IPV6: 6}
_INNER_PROTOCOLS = {4: IPV4, 6: IPV6}


class FragmentField(NamedTuple):
    """Which part of a packet this is: ``offset`` in bytes, whether ``more`` follow, of what packet."""

    offset: int
    more: bool
    identification: int


class Encapsulated(NamedTuple):
    """A decoded UDP payload: ``body`` is the inner packet, or the part of it ``fragment`` tells.

    ``next_header`` is the body's IP protocol number, for a plain packet read off its version.
    """

    next_header: int
    body: bytes | memoryview
    fragment: FragmentField | None = None
    signature: bytes | None = None


def encaps(remote: LinkLayerAddress) -> int:
    """Return ENCAPS toward ``remote``, in bytes."""
    return ENCAPS_IPV4 if remote.is_ipv4 else ENCAPS_IPV6


def inner_protocol(packet: bytes | memoryview) -> int:
    """Return the IP protocol number of an inner IP packet, 4 or 41; MalformedPacket if it is none."""
    protocol = _INNER_PROTOCOLS.get(packet[0] >> 4) if packet else None
    if protocol is None:
        raise MalformedPacket("no IP packet", 0)
    return protocol


def decode(
    payload: bytes | memoryview, source: LinkLayerAddress, destination: LinkLayerAddress
) -> Encapsulated:
    """Return what a UDP payload carries; MalformedPacket if it is in no known form.

    ``source`` and ``destination`` are those of the outer headers, for the header checksum.  All
    first bytes but those of inner IP and of a version 0 header with N = 1 are refused; 0x00
    is the encoding of RFC 6706, the rest nothing.
    """
    if not payload:
        raise MalformedPacket("empty encapsulation", 0)
    first = payload[0]
    protocol = _INNER_PROTOCOLS.get(first >> 4)
    if protocol is not None:
        return Encapsulated(protocol, payload)
    if first & ~_FLAGS or not first & _NEXT_HEADER:
        raise MalformedPacket(f"no encapsulation starts with {first:#04x}", 0)
    return _decode_header(payload, source, destination)


def _decode_header(
    payload: bytes | memoryview, source: LinkLayerAddress, destination: LinkLayerAddress
) -> Encapsulated:
    flags = payload[0]
    _require(payload, 2)
    next_header = payload[1]
    offset = 2
    fragment = signature = None
    if flags & _FRAGMENT:
        _require(payload, offset + _FRAGMENT_FIELDS.size)
        position, identification = _FRAGMENT_FIELDS.unpack_from(payload, offset)
        fragment = FragmentField(position & _OFFSET_MASK, position & _MORE != 0, identification)
        offset += _FRAGMENT_FIELDS.size
    if flags & _CHECKSUM:
        _require(payload, offset + 2)
        expected = header_checksum(payload[:offset], len(payload), source, destination)
        if int.from_bytes(payload[offset : offset + 2], "big") % 0xFFFF != expected:
            raise MalformedPacket("AERO header checksum is wrong", offset)
        offset += 2
    if flags & _SIGNATURE:
        _require(payload, offset + SIGNATURE_LENGTH)
        signature = bytes(payload[offset : offset + SIGNATURE_LENGTH])
        offset += SIGNATURE_LENGTH
    body = payload[offset:]
    if fragment is None:
        check_inner(next_header, body)
    return Encapsulated(next_header, body, fragment, signature)


def _require(payload: bytes | memoryview, length: int) -> None:
    if len(payload) < length:
        raise MalformedPacket("AERO header is cut short", len(payload))


def check_inner(next_header: int, body: bytes | memoryview) -> None:
    """Raise MalformedPacket if Next Header says IP and the whole ``body`` is not of that version."""
    version = _INNER_VERSIONS.get(next_header)
    if version is not None and (not body or body[0] >> 4 != version):
        raise MalformedPacket(f"Next Header {next_header} but no IPv{version} packet follows", 0)


def header_checksum(
    header: bytes | memoryview, payload_length: int, source: LinkLayerAddress, destination: LinkLayerAddress
) -> int:
    """Return the checksum of an AERO header, 0 to 0xfffe.

    The draft names no algorithm.  Ours covers the UDP pseudo-header, the UDP header with its
    checksum as 0, and ``header``, the AERO header up to its checksum; nothing that a router changes.
    """
    length = _UDP_HEADER_LENGTH + payload_length
    pseudo = pseudo_header(source.ip, destination.ip, length, UDP)
    return internet_checksum(pseudo, _UDP_HEADER.pack(source.port, destination.port, length, 0), header)


def encode(
    body: bytes | memoryview,
    next_header: int,
    fragment: FragmentField | None = None,
    signature: bytes = b"",
) -> bytes:
    """Return the UDP payload with an AERO header; a whole IP packet goes without and is the payload itself.

    ``fragment.offset`` is a multiple of 8; ``signature`` is 20 bytes or absent.
    """
    flags = _NEXT_HEADER | (_SIGNATURE if signature else 0)
    if fragment is None:
        return b"".join((bytes([flags, next_header]), signature, body))
    position = fragment.offset | fragment.more
    fields = _FRAGMENT_FIELDS.pack(position, fragment.identification)
    return b"".join((bytes([flags | _FRAGMENT, next_header]), fields, signature, body))
