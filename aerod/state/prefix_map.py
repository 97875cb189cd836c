# SPDX-License-Identifier: GPL-3.0-or-later
"""Longest-prefix match over 128-bit addresses, IPv4 in IPv4-mapped form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from aerod.address import Prefix

Value = TypeVar("Value")

_LINK_LOCAL_64 = 0xFE80 << 48
_IDENTIFIER = (1 << 64) - 1
_MAPPED = 0xFFFF


def is_aero_link_local(address: int) -> bool:
    """Whether the 128-bit address lies in ``fe80::/64``."""
    return address >> 64 == _LINK_LOCAL_64


def unembed(address: int) -> int:
    """Return the 128-bit address to look up for the AERO address ``address``.

    That is the IPv4-mapped or IPv6 address its interface identifier embeds (section 3.3);
    an ``fe80::ID`` gives ``::ID``, which lies in no ACP.
    """
    identifier = address & _IDENTIFIER
    return identifier if identifier >> 32 in (0, _MAPPED) else identifier << 64


class _Trie(Generic[Value]):
    """The prefixes of one family: a dict for each length, searched longest first."""

    __slots__ = ("_lengths", "searches")

    def __init__(self) -> None:
        self._lengths: dict[int, dict[int, Value]] = {}
        self.searches: list[tuple[int, dict[int, Value]]] = []

    def set(self, prefix: Prefix, value: Value) -> None:
        entries = self._lengths.get(prefix.length)
        if entries is None:
            entries = self._lengths[prefix.length] = {}
            self._order()
        entries[prefix.value >> (128 - prefix.length)] = value

    def get(self, prefix: Prefix) -> Value | None:
        entries = self._lengths.get(prefix.length, {})
        return entries.get(prefix.value >> (128 - prefix.length))

    def pop(self, prefix: Prefix) -> Value | None:
        entries = self._lengths.get(prefix.length, {})
        value = entries.pop(prefix.value >> (128 - prefix.length), None)
        if value is not None and not entries:
            del self._lengths[prefix.length]
            self._order()
        return value

    def _order(self) -> None:
        self.searches = [(128 - n, self._lengths[n]) for n in sorted(self._lengths, reverse=True)]


class PrefixMap(Generic[Value]):
    """A map from :class:`Prefix` to a value that is not None.

    IPv4 and IPv6 are kept apart: ``::/0`` does not match an IPv4 address.  A lookup costs one
    dict access for each prefix length in use, however many prefixes there are.
    """

    def __init__(self) -> None:
        self._ipv4: _Trie[Value] = _Trie()
        self._ipv6: _Trie[Value] = _Trie()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, prefix: Prefix, value: Value) -> None:
        trie = self._trie(prefix)
        self._count += trie.get(prefix) is None
        trie.set(prefix, value)

    def get(self, prefix: Prefix) -> Value | None:
        """Return the value of exactly ``prefix``."""
        return self._trie(prefix).get(prefix)

    def pop(self, prefix: Prefix) -> Value | None:
        """Remove exactly ``prefix``; return its value, None if it was not there."""
        value = self._trie(prefix).pop(prefix)
        self._count -= value is not None
        return value

    def lookup(self, address: int) -> Value | None:
        """Return the value of the longest prefix that holds the 128-bit ``address``."""
        trie = self._ipv4 if address >> 32 == _MAPPED else self._ipv6
        for shift, entries in trie.searches:
            value = entries.get(address >> shift)
            if value is not None:
                return value
        return None

    def longest(self, address: int) -> Prefix | None:
        """Return the longest prefix that holds the 128-bit ``address``."""
        trie = self._ipv4 if address >> 32 == _MAPPED else self._ipv6
        for shift, entries in trie.searches:
            if address >> shift in entries:
                return Prefix.masked(address, 128 - shift)
        return None

    def items(self) -> Iterator[tuple[Prefix, Value]]:
        """Yield every prefix with its value, longest first within a family."""
        for trie in (self._ipv4, self._ipv6):
            for shift, entries in trie.searches:
                for bits, value in entries.items():
                    yield Prefix(bits << shift, 128 - shift), value

    def _trie(self, prefix: Prefix) -> _Trie[Value]:
        return self._ipv4 if prefix.is_ipv4 else self._ipv6
