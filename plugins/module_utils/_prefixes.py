# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ASPs, ACPs and the addresses made of them (draft-templin-aerolink-52, section 3.3).

One number space serves both families: an IPv4 prefix a.b.c.d/n is kept as its IPv4-mapped form
::ffff:a.b.c.d/96+n, so that sorting, covering and overlapping need no case by family.
"""

from __future__ import annotations

import bisect
import socket
import typing as t

_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96
_MAPPED_TEXT = "::ffff:"
_LINK_LOCAL = 0xFE80 << 112
_ID_POOL_BITS = 32  # fe80::/96, section 3.6.1


class PrefixError(ValueError):
    """A text is no prefix, or no prefix of the wanted kind. The message says what is allowed."""


class Prefix(t.NamedTuple):
    """A prefix as 128-bit number and 128-bit length. Sorts by address, the shorter prefix first."""

    value: int
    length: int

    @property
    def is_ipv4(self) -> bool:
        return self.length >= 96 and self.value >> 32 == 0xFFFF

    @property
    def native_length(self) -> int:
        return self.length - 96 if self.is_ipv4 else self.length

    @property
    def last(self) -> int:
        """The highest address inside."""
        return self.value | ((1 << (128 - self.length)) - 1)

    def covers(self, other: Prefix) -> bool:
        return self.length <= other.length and self.value <= other.value <= self.last

    def __str__(self) -> str:
        return f"{address_text(self.value)}/{self.native_length}"


def address_text(value: int) -> str:
    """The 128-bit address as text, an IPv4-mapped one as plain IPv4."""
    if value >> 32 == 0xFFFF:
        return socket.inet_ntop(socket.AF_INET, (value & 0xFFFFFFFF).to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16, "big"))


def parse_address(text: str) -> int:
    """The address as 128-bit number, IPv4 in its IPv4-mapped form.

    :raises PrefixError: not an address in the usual text form, or an IPv4 one dressed as IPv6
    """
    try:
        if ":" not in text:
            return _MAPPED | int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
        value = int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    except (OSError, ValueError):
        raise PrefixError("not an IP address; allowed: an IPv4 or IPv6 address") from None
    if value >> 32 == 0xFFFF:
        raise PrefixError("an IPv4-mapped address; allowed: the IPv4 address itself")
    return value


def parse_prefix(text: str) -> Prefix:
    """The prefix in ``address/length`` form.

    :raises PrefixError: malformed, length out of range, or bits set to the right of the length
    """
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdigit()):
        raise PrefixError("not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32")
    try:
        value = parse_address(address)
    except PrefixError as error:
        raise PrefixError(str(error).replace("an IP address", "a prefix")) from None
    ipv4 = ":" not in address
    if int(length) > (32 if ipv4 else 128):
        raise PrefixError(f"length out of range; allowed: 0 to {32 if ipv4 else 128}")
    bits = int(length) + (96 if ipv4 else 0)
    base = value >> (128 - bits) << (128 - bits)
    if base != value:
        raise PrefixError(f"has bits set to the right of its length; allowed: {Prefix(base, bits)}")
    return Prefix(base, bits)


def aero_address(acp: Prefix) -> str:
    """The AERO address of an ACP: fe80::/64 plus the upper 64 bits of an IPv6 ACP, or plus
    0000:ffff and the base address of an IPv4 one (section 3.3)."""
    identifier = acp.value if acp.is_ipv4 else acp.value >> 64
    return _ipv6_text(_LINK_LOCAL | identifier)


def delegated(acp: str) -> str:
    """The ACP as it stands in an IA_PD: IPv4 a.b.c.d/n as ::ffff:a.b.c.d/96+n (our choice O-25)."""
    # Text to text, for a table has a million of them.
    if ":" in acp:
        return acp
    address, _slash, length = acp.partition("/")
    return f"{_MAPPED_TEXT}{address}/{int(length) + 96}"


def acp_of(prefix: str) -> str:
    """The ACP of a prefix in an IA_PD."""
    address, _slash, length = prefix.partition("/")
    if not address.startswith(_MAPPED_TEXT) or "." not in address:
        return prefix
    return f"{address[len(_MAPPED_TEXT):]}/{int(length) - 96}"


def link_local(identifier: int) -> str:
    """The link-local address fe80::ID of a Relay or Server.

    :raises PrefixError: the ID is reserved or could be the AERO address of an ACP (section 3.6.1)
    """
    if identifier <= 0:
        raise PrefixError("fe80:: is the link's subnet-router anycast address; allowed: 1 to 4294967295")
    if identifier >= 1 << 64:
        raise PrefixError("more than 64 bits; allowed: 1 to 4294967295")
    if identifier >> _ID_POOL_BITS:
        raise PrefixError(f"{_collision(identifier)}; allowed: 1 to 4294967295")
    return _ipv6_text(_LINK_LOCAL | identifier)


def _collision(identifier: int) -> str:
    """What an interface identifier outside the pool of IDs belongs to."""
    text = _ipv6_text(_LINK_LOCAL | identifier)
    if identifier == (1 << 64) - 1:
        return f"{text} is the source of Clients without a prefix"
    if identifier >> 32 == 0xFFFF:
        return f"{text} is the AERO address of the ACP {address_text(identifier)}/32"
    return f"{text} is the AERO address of the ACP {Prefix(identifier << 64, 64)}"


def _ipv6_text(value: int) -> str:
    return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16, "big"))


def overlaps(prefixes: t.Sequence[Prefix]) -> t.Iterator[tuple[int, int]]:
    """Pairs (outer, inner) of positions whose prefixes overlap or are equal, in O(n log n).

    Two prefixes are disjoint or one covers the other, so in sorted order each needs to be compared
    only with the one that reaches furthest so far. Of equal ones the later in the sequence is inner.
    """
    order = sorted(range(len(prefixes)), key=prefixes.__getitem__)
    outer = None
    for position in order:
        if outer is not None and prefixes[position].value <= prefixes[outer].last:
            yield outer, position
        else:
            outer = position


class PrefixSet:
    """Answers which of some prefixes a given one lies in, in O(log n). Nested ones count by the outermost."""

    def __init__(self, prefixes: t.Sequence[Prefix]) -> None:
        inner = {position for outer, position in overlaps(prefixes)}
        self.outermost = sorted(prefix for position, prefix in enumerate(prefixes) if position not in inner)

    def covering(self, prefix: Prefix) -> Prefix | None:
        """The outermost prefix of the set that covers this one."""
        # They are disjoint, so only the nearest one to the left can.
        position = bisect.bisect_right(self.outermost, prefix) - 1
        if position >= 0 and self.outermost[position].covers(prefix):
            return self.outermost[position]
        return None
