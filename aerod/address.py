# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and prefixes of the AERO link (draft-templin-aerolink-52 section 3.3).

Everywhere in aerod an IP address is 16 bytes in network order; an IPv4 address is in
its IPv4-mapped form ``::ffff:a.b.c.d``, so one kind of value serves both families.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple

AERO_PORT = 8060

MAPPED_PREFIX = bytes(10) + b"\xff\xff"
MAPPED_PREFIX_LENGTH = 96
LINK_LOCAL_PREFIX = b"\xfe\x80" + bytes(6)

UNSPECIFIED = bytes(16)
SUBNET_ROUTER_ANYCAST = LINK_LOCAL_PREFIX + bytes(8)
# Source of every Client that has no ACP yet: never a lookup key.
UNASSIGNED_CLIENT = LINK_LOCAL_PREFIX + b"\xff" * 8
ALL_DHCP_AGENTS = bytes.fromhex("ff020000000000000000000000010002")

_LONGEST_IPV6_ACP = 64


class AddressError(ValueError):
    """Text or a value that is no address or prefix of the kind asked for."""


def parse_address(text: str) -> bytes:
    """Return the 16 bytes of the IPv4 or IPv6 address ``text``; AddressError otherwise."""
    if "%" in text:
        raise AddressError(f"{text!r} has a zone, only a bare address is allowed")
    try:
        packed = ipaddress.ip_address(text).packed
    except ValueError:
        raise AddressError(f"{text!r} is not an IPv4 or IPv6 address") from None
    return packed if len(packed) == 16 else MAPPED_PREFIX + packed


def address_text(address: bytes) -> str:
    """Return the native text of a 16-byte address: dotted for IPv4-mapped ones."""
    if address.startswith(MAPPED_PREFIX):
        return str(ipaddress.IPv4Address(address[12:]))
    return str(ipaddress.IPv6Address(address))


def is_link_local(address: bytes) -> bool:
    """Whether the 16-byte address lies in ``fe80::/64``, as all addresses of the link do."""
    return address.startswith(LINK_LOCAL_PREFIX)


def is_multicast(address: bytes) -> bool:
    """Whether the 16-byte address is an IPv6 or IPv4 multicast address."""
    if address.startswith(MAPPED_PREFIX):
        return 224 <= address[12] < 240
    return address[0] == 0xFF


def link_local(aero_id: int) -> bytes:
    """Return ``fe80::ID``, the 16-byte address of a Relay or Server (1 to 2**32 - 1)."""
    if not 0 < aero_id < 1 << 32:
        raise AddressError(f"{aero_id} is not an AERO ID, allowed is 1 to {(1 << 32) - 1}")
    return LINK_LOCAL_PREFIX + aero_id.to_bytes(8, "big")


def embedded(address: bytes) -> tuple[str, int]:
    """Return what the interface identifier of a 16-byte ``fe80::`` address stands for.

    ``("id", ID)`` for a Relay or Server, ``("ipv4", address)`` with 32 bits and
    ``("ipv6", top half of the address)`` with 64 bits for a Client.  A sender that does not
    know the length of an ACP embeds the destination's own bits, so the value is looked
    up by longest match, one table a kind.
    """
    value = int.from_bytes(address[8:], "big")
    family = value >> 32
    if family == 0:
        return "id", value
    if family == 0xFFFF:
        return "ipv4", value & 0xFFFFFFFF
    return "ipv6", value


class LinkLayerAddress(NamedTuple):
    """A link-layer address of the overlay: 16-byte underlay address and UDP port."""

    ip: bytes
    port: int

    @classmethod
    def parse(cls, text: str, port: int = AERO_PORT) -> LinkLayerAddress:
        """Make one from the address ``text``; AddressError if text or port is wrong."""
        if not 0 <= port <= 0xFFFF:
            raise AddressError(f"{port} is not a UDP port")
        return cls(parse_address(text), port)

    @property
    def is_ipv4(self) -> bool:
        return self.ip.startswith(MAPPED_PREFIX)

    @property
    def text(self) -> str:
        """The address alone, as in ``203.0.113.1`` or ``fd00::1``."""
        return address_text(self.ip)

    def __str__(self) -> str:
        return f"{self.text}:{self.port}" if self.is_ipv4 else f"[{self.text}]:{self.port}"


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """An ACP, ASP or other prefix: the 128-bit ``value`` with host bits clear, and its ``length``.

    IPv4 prefixes are kept IPv4-mapped, ``a.b.c.d/n`` as ``::ffff:a.b.c.d`` with length 96 + n.
    """

    value: int
    length: int

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """Make one from ``address/length``; AddressError if it is not that or has host bits."""
        address, slash, digits = text.partition("/")
        if not slash or not (digits.isascii() and digits.isdigit()):
            raise AddressError(f"{text!r} is not a prefix, allowed is ADDRESS/LENGTH")
        packed = parse_address(address)
        length = int(digits) + (0 if ":" in address else MAPPED_PREFIX_LENGTH)
        if length > 128:
            raise AddressError(f"{text!r} has a length beyond the end of the address")
        prefix = cls.masked(packed, length)
        if prefix.packed != packed:
            raise AddressError(f"{text!r} has host bits set, did you mean {prefix}")
        return prefix

    @classmethod
    def masked(cls, value: int | bytes, length: int) -> Prefix:
        """Make one from any address inside it and its 128-bit length."""
        if not 0 <= length <= 128:
            raise AddressError(f"{length} is not a prefix length")
        number = value if isinstance(value, int) else int.from_bytes(value, "big")
        host_bits = 128 - length
        return cls(number >> host_bits << host_bits, length)

    @property
    def is_ipv4(self) -> bool:
        return self.length >= MAPPED_PREFIX_LENGTH and self.value >> 32 == 0xFFFF

    @property
    def native_length(self) -> int:
        """The length as written: 0 to 32 for IPv4, 0 to 128 for IPv6."""
        return self.length - MAPPED_PREFIX_LENGTH if self.is_ipv4 else self.length

    @property
    def packed(self) -> bytes:
        return self.value.to_bytes(16, "big")

    def __str__(self) -> str:
        return f"{address_text(self.packed)}/{self.native_length}"

    def contains(self, address: bytes | int) -> bool:
        """Whether the 16-byte (or 128-bit) address lies inside, in 128-bit arithmetic."""
        number = address if isinstance(address, int) else int.from_bytes(address, "big")
        return (number ^ self.value) >> (128 - self.length) == 0

    def covers(self, other: Prefix) -> bool:
        """Whether ``other`` is this prefix or a part of it."""
        return other.length >= self.length and self.contains(other.value)

    @property
    def can_be_acp(self) -> bool:
        """Whether an AERO address can be made from it: IPv4, or IPv6 of /64 or shorter."""
        return self.is_ipv4 or self.length <= _LONGEST_IPV6_ACP

    @property
    def aero_address(self) -> bytes:
        """The 16-byte AERO address of this ACP; AddressError for IPv6 longer than /64."""
        if not self.can_be_acp:
            raise AddressError(f"{self} is no ACP, an IPv6 ACP is /64 or shorter")
        identifier = self.value & ((1 << 64) - 1) if self.is_ipv4 else self.value >> 64
        return LINK_LOCAL_PREFIX + identifier.to_bytes(8, "big")

    @property
    def delegated(self) -> tuple[bytes, int]:
        """The 16 bytes and the length that stand for this ACP in an IA_PD option."""
        return self.packed, self.length
