# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors about inner packets (RFC 792, RFC 1191, RFC 4443; draft section 3.14)."""

from __future__ import annotations

import struct

from aerod.address import MAPPED_PREFIX, UNSPECIFIED, is_multicast
from aerod.wire.checksum import internet_checksum, pseudo_header, updated_checksum
from aerod.wire.ip import ICMPV4, ICMPV6, IPHeader, build_ipv4, build_ipv6, parse_ip

UNSPECIFIED_IPV4 = MAPPED_PREFIX + bytes(4)
BROADCAST_IPV4 = MAPPED_PREFIX + b"\xff" * 4

# An error quotes what fits in the smallest MTU: 1280 bytes of IPv6, 576 of IPv4.
_IPV6_QUOTE = 1280 - 40 - 8
_IPV4_QUOTE = 576 - 20 - 8

_IPV6_UNREACHABLE = (1, 0)
_IPV6_TOO_BIG = (2, 0)
_IPV4_HOST_UNREACHABLE = (3, 1)
_IPV4_TOO_BIG = (3, 4)

_ICMPV4_ERRORS = frozenset({3, 4, 5, 11, 12})
_FIRST_ICMPV6_INFORMATIONAL = 128
_ICMPV6_REDIRECT = 137
_ICMP_HEADER_LENGTH = 8


def packet_too_big(packet: bytes | memoryview, mtu: int, source: bytes | None = None) -> bytes:
    """Return the error that tells the source of ``packet`` to send at most ``mtu`` bytes.

    ``packet`` may be cut short; ``source`` is the sender of the error (16 bytes, of the
    packet's family), None for the unspecified address that a node uses toward the link.
    """
    return _error(packet, _IPV4_TOO_BIG, _IPV6_TOO_BIG, mtu, source)


def destination_unreachable(packet: bytes | memoryview, source: bytes | None = None) -> bytes:
    """Return the error that tells the source of ``packet`` that there is no way to its destination."""
    return _error(packet, _IPV4_HOST_UNREACHABLE, _IPV6_UNREACHABLE, 0, source)


def _error(
    packet: bytes | memoryview,
    in_ipv4: tuple[int, int],
    in_ipv6: tuple[int, int],
    mtu: int,
    source: bytes | None,
) -> bytes:
    header = parse_ip(packet, whole=False)
    if header.version == 4:
        quote = bytes(packet[: min(header.total_length, _IPV4_QUOTE)])
        message = _with_checksum(*in_ipv4, struct.pack("!HH", 0, min(mtu, 0xFFFF)) + quote)
        return build_ipv4(source or UNSPECIFIED_IPV4, header.source, ICMPV4, message)
    quote = bytes(packet[: min(header.total_length, _IPV6_QUOTE)])
    source = source or UNSPECIFIED
    rest = struct.pack("!I", mtu) + quote
    pseudo = pseudo_header(source, header.source, 4 + len(rest), ICMPV6)
    return build_ipv6(source, header.source, ICMPV6, _with_checksum(*in_ipv6, rest, pseudo))


def _with_checksum(kind: int, code: int, rest: bytes, pseudo: bytes = b"") -> bytes:
    start = bytes([kind, code])
    return start + internet_checksum(pseudo, start, rest).to_bytes(2, "big") + rest


def is_error(packet: bytes | memoryview, header: IPHeader) -> bool:
    """Whether the parsed packet is an ICMP error message."""
    kind = _icmp_type(packet, header)
    if kind is None:
        return False
    return kind in _ICMPV4_ERRORS if header.version == 4 else kind < _FIRST_ICMPV6_INFORMATIONAL


def may_answer_with_error(packet: bytes | memoryview, header: IPHeader) -> bool:
    """Whether an ICMP error about the parsed packet may be sent (RFC 1122 3.2.2, RFC 4443 2.4 e)."""
    addresses = (header.source, header.destination)
    if header.source in (UNSPECIFIED, UNSPECIFIED_IPV4) or any(map(is_multicast, addresses)):
        return False
    if header.fragment_offset or BROADCAST_IPV4 in addresses or is_error(packet, header):
        return False
    return header.version == 4 or _icmp_type(packet, header) != _ICMPV6_REDIRECT


def _icmp_type(packet: bytes | memoryview, header: IPHeader) -> int | None:
    """Return the ICMP type of a parsed packet, None if it is not ICMP or lacks the ICMP header."""
    protocol = ICMPV4 if header.version == 4 else ICMPV6
    end = min(header.total_length, len(packet))
    has_header = header.fragment_offset == 0 and end >= header.payload_offset + _ICMP_HEADER_LENGTH
    if header.protocol != protocol or not has_header:
        return None
    return packet[header.payload_offset]


def with_source(packet: bytes | memoryview, header: IPHeader, source: bytes) -> bytes:
    """Return the parsed ICMP message with another source address and its checksums adjusted."""
    packet = bytes(packet)
    if header.version == 4:
        old, new = header.source[12:], source[12:]
        return packet[:10] + _adjusted(packet[10:12], old, new) + new + packet[16:]
    start = header.payload_offset + 2
    checksum = _adjusted(packet[start : start + 2], header.source, source)
    return packet[:8] + source + packet[24:start] + checksum + packet[start + 2 :]


def _adjusted(checksum: bytes, before: bytes, after: bytes) -> bytes:
    return updated_checksum(int.from_bytes(checksum, "big"), before, after).to_bytes(2, "big")
