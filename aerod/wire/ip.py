# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv4 and IPv6 headers (RFC 791, RFC 8200) of the packets a tunnel carries."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from aerod.address import MAPPED_PREFIX
from aerod.wire.checksum import internet_checksum
from aerod.wire.errors import MalformedPacket

ICMPV4 = 1
IPV4 = 4
TCP = 6
UDP = 17
IPV6 = 41
ICMPV6 = 58

IPV4_HEADER_LENGTH = 20
IPV6_HEADER_LENGTH = 40

ECN_MASK = 0x03
ECN_CE = 0x03

# version/IHL, TOS, total length, identification, flags/offset, TTL, protocol, checksum, addresses
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
# version/class/flow label, payload length, next header, hop limit, addresses
_IPV6 = struct.Struct("!IHBB16s16s")

_DONT_FRAGMENT = 0x4000
_MORE_FRAGMENTS = 0x2000
_OFFSET_MASK = 0x1FFF
_FLOW_LABEL_MASK = 0xFFFFF


class IPHeader(NamedTuple):
    """What aerod wants to know of an IP header; a named tuple because every packet makes one.

    Addresses are 16 bytes.  ``total_length`` is that of the packet as its header tells it,
    ``payload_offset`` and ``fragment_offset`` are in bytes.
    """

    version: int
    source: bytes
    destination: bytes
    protocol: int
    hop_limit: int
    traffic_class: int
    total_length: int
    payload_offset: int
    flow_label: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    identification: int = 0


def parse_ip(packet: bytes | memoryview, whole: bool = True) -> IPHeader:
    """Return the header of ``packet``; MalformedPacket if it is no IP packet.

    Bytes behind the packet's own length are allowed.  A packet cut short, as an ICMP error
    quotes it, is allowed with ``whole=False``.  The IPv4 header checksum is left to the
    destination, as a tunnel changes nothing in that header.
    """
    if not packet:
        raise MalformedPacket("empty IP packet", 0)
    version = packet[0] >> 4
    if version == 4:
        header = _parse_ipv4(packet)
    elif version == 6:
        header = _parse_ipv6(packet)
    else:
        raise MalformedPacket(f"IP version {version}", 0)
    if whole and header.total_length > len(packet):
        raise MalformedPacket(f"IP packet of {header.total_length} bytes is cut short", len(packet))
    return header


def _parse_ipv4(packet: bytes | memoryview) -> IPHeader:
    if len(packet) < IPV4_HEADER_LENGTH:
        raise MalformedPacket("IPv4 header is cut short", len(packet))
    fields = _IPV4.unpack_from(packet)
    first, tos, total, identification, flags, ttl, protocol, _unused, source, destination = fields
    header_length = (first & 0x0F) * 4
    if header_length < IPV4_HEADER_LENGTH or header_length > len(packet):
        raise MalformedPacket(f"IPv4 header length {header_length}", 0)
    if total < header_length:
        raise MalformedPacket(f"IPv4 total length {total}", 2)
    return IPHeader(
        4,
        MAPPED_PREFIX + source,
        MAPPED_PREFIX + destination,
        protocol,
        ttl,
        tos,
        total,
        header_length,
        0,
        flags & _DONT_FRAGMENT != 0,
        flags & _MORE_FRAGMENTS != 0,
        (flags & _OFFSET_MASK) * 8,
        identification,
    )


def _parse_ipv6(packet: bytes | memoryview) -> IPHeader:
    if len(packet) < IPV6_HEADER_LENGTH:
        raise MalformedPacket("IPv6 header is cut short", len(packet))
    first, payload_length, protocol, hop_limit, source, destination = _IPV6.unpack_from(packet)
    return IPHeader(
        6,
        source,
        destination,
        protocol,
        hop_limit,
        first >> 20 & 0xFF,
        IPV6_HEADER_LENGTH + payload_length,
        IPV6_HEADER_LENGTH,
        first & _FLOW_LABEL_MASK,
    )


def build_ipv6(
    source: bytes,
    destination: bytes,
    next_header: int,
    payload: bytes,
    hop_limit: int = 255,
    traffic_class: int = 0,
    flow_label: int = 0,
) -> bytes:
    """Return an IPv6 packet."""
    first = 6 << 28 | traffic_class << 20 | flow_label
    return _IPV6.pack(first, len(payload), next_header, hop_limit, source, destination) + payload


def build_ipv4(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload: bytes,
    ttl: int = 64,
    tos: int = 0,
    identification: int = 0,
    dont_fragment: bool = False,
) -> bytes:
    """Return an IPv4 packet; the addresses are IPv4-mapped."""
    header = _IPV4.pack(
        0x45,
        tos,
        IPV4_HEADER_LENGTH + len(payload),
        identification,
        _DONT_FRAGMENT if dont_fragment else 0,
        ttl,
        protocol,
        0,
        source[12:],
        destination[12:],
    )
    return with_ipv4_checksum(header) + payload


def with_ipv4_checksum(header: bytes) -> bytes:
    """Return the IPv4 header, options included, with its checksum made new."""
    checksum = internet_checksum(header[:10], header[12:])
    return header[:10] + checksum.to_bytes(2, "big") + header[12:]


def combine_ecn(packet: bytes | memoryview, outer_traffic_class: int) -> bytes | memoryview | None:
    """Return the inner, parsed ``packet`` as it leaves the tunnel, None if it has to be dropped.

    Congestion met on the way (outer CE) is passed on to packets of ECN-capable transports and
    costs all others their life (RFC 6040 section 4.2); in any other case the inner mark stays.
    """
    if outer_traffic_class & ECN_MASK != ECN_CE:
        return packet
    packet = bytes(packet)
    # Traffic class bits 0-1 sit in byte 1: lowest in IPv4's TOS, above the flow label in IPv6.
    is_ipv4 = packet[0] >> 4 == 4
    shift = 0 if is_ipv4 else 4
    if packet[1] >> shift & ECN_MASK == 0:
        return None
    marked = packet[:1] + bytes([packet[1] | ECN_CE << shift]) + packet[2:]
    if not is_ipv4:
        return marked
    header_length = (packet[0] & 0x0F) * 4
    return with_ipv4_checksum(marked[:header_length]) + marked[header_length:]


def flow_label(packet: bytes | memoryview, header: IPHeader) -> int:
    """Return the outer flow label for an inner packet, 1 to 2**20 - 1 (RFC 6438 section 3).

    It is a hash of addresses, protocol and ports; of addresses, protocol and the inner flow
    label where ports are out of reach.
    """
    flow = header.source + header.destination + bytes([header.protocol])
    is_fragment = header.more_fragments or header.fragment_offset > 0
    if header.protocol in (TCP, UDP) and not is_fragment:
        flow += packet[header.payload_offset : header.payload_offset + 4]
    else:
        flow += header.flow_label.to_bytes(3, "big")
    return zlib.crc32(flow) % _FLOW_LABEL_MASK + 1
