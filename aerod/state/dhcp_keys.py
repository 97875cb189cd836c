# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that prove who wrote a DHCPv6 message (O-26).

A Server has master secrets, from which the key of every Client follows, and keys of single Clients
that take their place.  A Client has its own key alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from aerod.wire.dhcpv6_authentication import Key, client_key

# A derived key costs about as much as a look-up: this is for the Clients that write often.
_DERIVED = 8192


class DhcpKeys:
    """``own`` are master secrets at a Server and keys at a Client, newest first."""

    def __init__(self, own: Iterable[Key], of_clients: Mapping[bytes, tuple[Key, ...]] | None = None) -> None:
        self._own = tuple(own)
        self._masters = {key.id: key.secret for key in self._own}
        self._of_clients = of_clients or {}
        self._derive = lru_cache(maxsize=_DERIVED)(client_key)

    @property
    def ids(self) -> tuple[int, ...]:
        """The IDs of the keys that hold for everybody, newest first."""
        return tuple(key.id for key in self._own)

    @property
    def newest(self) -> Key:
        """The key a Client signs with."""
        return self._own[0]

    def own_secret(self, key_id: int) -> bytes | None:
        """Return a Client's own secret."""
        return self._masters.get(key_id)

    def secret_of(self, duid: bytes, key_id: int) -> bytes | None:
        """Return the secret of a Client at a Server, None if it has none with this ID."""
        single = self._of_clients.get(duid)
        if single is not None:
            return next((key.secret for key in single if key.id == key_id), None)
        master = self._masters.get(key_id)
        return None if master is None else self._derive(master, duid)
