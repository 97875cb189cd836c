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

SIGNATURE_LENGTH = 20
CHECKSUM_LENGTH = 2
# Without any field, and with those of a fragment.
SHORTEST_HEADER = 2
HEADER_LENGTH = 8

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
    encapsulated, checksum_at = _parse(payload)
    if checksum_at is not None:
        header = payload[:checksum_at]
        expected = header_checksum(header, len(payload), source, destination)
        if int.from_bytes(payload[checksum_at : checksum_at + 2], "big") % 0xFFFF != expected:
            raise MalformedPacket("AERO header checksum is wrong", checksum_at)
    if encapsulated.fragment is None:
        check_inner(encapsulated.next_header, encapsulated.body)
    return encapsulated


def quoted(payload: bytes | memoryview) -> Encapsulated:
    """Return what the start of a UDP payload carries, as an ICMP error quotes it: nothing is verified."""
    return _parse(payload)[0]


def _parse(payload: bytes | memoryview) -> tuple[Encapsulated, int | None]:
    """Return what ``payload`` carries, and where its header checksum is, None if it has none."""
    if not payload:
        raise MalformedPacket("empty encapsulation", 0)
    first = payload[0]
    protocol = _INNER_PROTOCOLS.get(first >> 4)
    if protocol is not None:
        return Encapsulated(protocol, payload), None
    if first & ~_FLAGS or not first & _NEXT_HEADER:
        raise MalformedPacket(f"no encapsulation starts with {first:#04x}", 0)
    _require(payload, SHORTEST_HEADER)
    offset = SHORTEST_HEADER
    fragment = signature = checksum_at = None
    if first & _FRAGMENT:
        _require(payload, offset + _FRAGMENT_FIELDS.size)
        fragment = unpack_fragment(*_FRAGMENT_FIELDS.unpack_from(payload, offset))
        offset += _FRAGMENT_FIELDS.size
    if first & _CHECKSUM:
        _require(payload, offset + CHECKSUM_LENGTH)
        checksum_at = offset
        offset += CHECKSUM_LENGTH
    if first & _SIGNATURE:
        _require(payload, offset + SIGNATURE_LENGTH)
        signature = bytes(payload[offset : offset + SIGNATURE_LENGTH])
        offset += SIGNATURE_LENGTH
    return Encapsulated(payload[1], payload[offset:], fragment, signature), checksum_at


def unpack_fragment(position: int, identification: int) -> FragmentField:
    """Return the fields from the word that holds offset, reserved bits and M (RFC 8200 section 4.5)."""
    return FragmentField(position & _OFFSET_MASK, position & _MORE != 0, identification)


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
    ends: tuple[LinkLayerAddress, LinkLayerAddress] | None = None,
) -> bytes:
    """Return the UDP payload with an AERO header; a whole IP packet goes without and is the payload itself.

    ``fragment.offset`` is a multiple of 8; ``signature`` is 20 bytes or absent.  With ``ends``, source
    and destination of the outer headers, there is a header checksum.
    """
    flags = _NEXT_HEADER | _FRAGMENT * (fragment is not None) | _CHECKSUM * (ends is not None)
    header = bytes([flags | _SIGNATURE * bool(signature), next_header])
    if fragment is not None:
        header += _FRAGMENT_FIELDS.pack(fragment.offset | fragment.more, fragment.identification)
    if ends is not None:
        length = len(header) + CHECKSUM_LENGTH + len(signature) + len(body)
        header += header_checksum(header, length, *ends).to_bytes(CHECKSUM_LENGTH, "big")
    return b"".join((header, signature, body))
