# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that sign packets between two neighbors, hop by hop (O-4).

A pair has the secret of its lower node: a Client toward its Servers, a Server toward the Relays.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from aerod.address import LinkLayerAddress
from aerod.state.neighbors import Neighbor, NeighborCache
from aerod.state.underlays import Path
from aerod.wire import signature

_STRANGERS = 1024


class Key(NamedTuple):
    """A secret and its ID on the wire; ``owner`` is a Client's DUID or a Server's link-local address."""

    id: int
    secret: bytes
    owner: bytes


_pair_key = lru_cache(maxsize=65536)(signature.pair_key)


class Keyring:
    """``own`` is this node's key toward its upstream neighbors, ``peers`` those of the nodes below.

    With ``required`` nothing is taken unsigned.
    """

    def __init__(
        self, neighbors: NeighborCache, own: Key | None, peers: Iterable[Key], required: bool
    ) -> None:
        self.required = required
        self._neighbors = neighbors
        self._own = own
        self._by_id = {key.id: key for key in peers}
        self._by_owner = {key.owner: key for key in self._by_id.values()}
        # Who is known by a signature alone, for the answer; none but holders of keys get in.
        self._strangers: dict[LinkLayerAddress, Key] = {}

    def sign(self, path: Path, packet: bytes) -> bytes:
        """Return the signature for ``packet`` over ``path``, empty if no key is shared there."""
        key = self._peer_at(path.remote)
        if key is not None:
            return signature.sign(key.id, _pair_key(key.secret, path.local.ip), packet)
        if self._own is None:
            return b""
        return signature.sign(self._own.id, _pair_key(self._own.secret, path.remote.ip), packet)

    def _peer_at(self, remote: LinkLayerAddress) -> Key | None:
        for neighbor in self._neighbors.at(remote):
            key = self._by_owner.get(_owner(neighbor))
            if key is not None:
                return key
        return self._strangers.get(remote)

    def signer(
        self, made: bytes, packet: bytes, remote: LinkLayerAddress, local: LinkLayerAddress
    ) -> Key | None:
        """Return the key that ``made`` was made with for ``packet``, None if it is not right."""
        number = signature.key_id(made)
        key = self._by_id.get(number)
        if key is not None:
            if not signature.is_right(made, _pair_key(key.secret, local.ip), packet):
                return None
            self._note(remote, key)
            return key
        if self._own is None or self._own.id != number:
            return None
        own = _pair_key(self._own.secret, remote.ip)
        return self._own if signature.is_right(made, own, packet) else None

    def _note(self, remote: LinkLayerAddress, key: Key) -> None:
        if self._neighbors.at(remote):
            self._strangers.pop(remote, None)
        elif self._strangers.get(remote) is not key:
            while len(self._strangers) >= _STRANGERS:
                del self._strangers[next(iter(self._strangers))]
            self._strangers[remote] = key

    def allows(self, signer: Key | None, origin: Neighbor | None) -> bool:
        """Whether what ``signer`` signed (None: nobody) may come from ``origin`` (None: a stranger)."""
        if signer is None:
            return not self.required
        if origin is None:
            return True
        return origin.trusted if signer is self._own else signer.owner == _owner(origin)


def _owner(neighbor: Neighbor) -> bytes:
    return neighbor.client_id or neighbor.link_local
