# SPDX-License-Identifier: GPL-3.0-or-later
"""Fragmentation of an inner IPv4 packet before it enters the tunnel (RFC 791 section 3.2)."""

from __future__ import annotations

import struct

from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPV4_HEADER_LENGTH, parse_ip, with_ipv4_checksum

_LARGEST_PAYLOAD = 0xFFFF - IPV4_HEADER_LENGTH
_MORE_FRAGMENTS = 0x2000
_END_OF_OPTIONS = 0
_NO_OPERATION = 1
_COPIED = 0x80


def fragment_ipv4(packet: bytes | memoryview, limit: int) -> list[bytes]:
    """Cut an IPv4 packet into the fewest IPv4 packets of at most ``limit`` bytes each.

    The packet may be a fragment itself.  MalformedPacket if its header leaves no room.
    """
    packet = bytes(packet)
    header = parse_ip(packet)
    if header.fragment_offset + header.total_length - header.payload_offset > _LARGEST_PAYLOAD:
        raise MalformedPacket("IPv4 fragment reaches beyond the largest packet", 6)
    first_header = packet[: header.payload_offset]
    payload = packet[header.payload_offset : header.total_length]
    later_header = _later_header(first_header)
    pieces = []
    start = 0
    while start < len(payload) or not pieces:
        current = later_header if start else first_header
        room = limit - len(current)
        is_last = len(payload) - start <= room
        size = len(payload) - start if is_last else room // 8 * 8
        if size <= 0 and payload:
            raise MalformedPacket(f"IPv4 header of {len(current)} bytes leaves no room in {limit}", 0)
        body = payload[start : start + size]
        more = header.more_fragments or not is_last
        pieces.append(_piece(current, body, header.fragment_offset + start, more))
        start += size
    return pieces


def _piece(header: bytes, body: bytes, offset: int, more: bool) -> bytes:
    lengths = struct.pack("!H", len(header) + len(body))
    position = struct.pack("!H", offset // 8 | (_MORE_FRAGMENTS if more else 0))
    return with_ipv4_checksum(header[:2] + lengths + header[4:6] + position + header[8:]) + body


def _later_header(header: bytes) -> bytes:
    """Return the header for all fragments but the first: of the options only the copied ones."""
    options = b""
    offset = IPV4_HEADER_LENGTH
    while offset < len(header) and header[offset] != _END_OF_OPTIONS:
        if header[offset] == _NO_OPERATION:
            offset += 1
            continue
        length = header[offset + 1] if offset + 1 < len(header) else 0
        if length < 2 or offset + length > len(header):
            raise MalformedPacket("IPv4 option is cut short", offset)
        if header[offset] & _COPIED:
            options += header[offset : offset + length]
        offset += length
    options += bytes(-len(options) % 4)
    version_and_length = 0x40 | (IPV4_HEADER_LENGTH + len(options)) // 4
    return bytes([version_and_length]) + header[1:IPV4_HEADER_LENGTH] + options
