# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that sign packets between two neighbors, hop by hop (O-4).

All keys come from secrets of the link.  Relays and Servers have the secrets, and share one key with
each other; a Client has the keys derived for it alone.  Where there are several, the first signs and all
are taken, so that one can be replaced by another in steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from aerod.address import LinkLayerAddress
from aerod.state.neighbors import DYNAMIC, Neighbor, NeighborCache
from aerod.state.underlays import Path
from aerod.wire import signature
from aerod.wire.dhcpv6 import Message, unpack
from aerod.wire.dhcpv6_options import ClientId
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import UDP, parse_ip
from aerod.wire.udp import parse_udp

# The owner of the key of Relays and Servers; a Client's is its DUID, or its AERO address if it has none.
INFRASTRUCTURE = b""
_MOST = 65536


class Key(NamedTuple):
    """A secret and the ID that it has on the wire."""

    id: int
    secret: bytes
    owner: bytes = INFRASTRUCTURE


@lru_cache(maxsize=_MOST)
def _derived(secret: Key, owner: bytes) -> Key:
    return Key(secret.id, signature.derived_key(secret.secret, owner), owner)


_pair_key = lru_cache(maxsize=_MOST)(signature.pair_key)


class Keyring(Protocol):
    """With ``required`` nothing is taken unsigned."""

    required: bool

    def sign(self, path: Path, packet: bytes) -> bytes:
        """Return the signature for ``packet`` over ``path``, empty if no key is shared there."""

    def signer(
        self, made: bytes, packet: bytes, remote: LinkLayerAddress, local: LinkLayerAddress
    ) -> Key | None:
        """Return the key that ``made`` was made with for ``packet``, None if it is not right."""


def allows(keys: Keyring, signer: Key | None, origin: Neighbor | None) -> bool:
    """Whether what ``signer`` signed (None: nobody) may come from ``origin`` (None: a stranger)."""
    if signer is None:
        return not keys.required
    return origin is None or _owner(origin) in (signer.owner, None)


class ClientKeys:
    """What a Client shares with its Servers."""

    def __init__(self, neighbors: NeighborCache, keys: Sequence[Key], required: bool) -> None:
        self.required = required
        self._neighbors = neighbors
        self._first = keys[0]
        self._by_id = {key.id: key for key in keys}

    def sign(self, path: Path, packet: bytes) -> bytes:
        known = self._neighbors.at(path.remote)
        if known and not known[0].trusted:
            # Another Client, who has no key of ours.
            return b""
        return _signed(self._first, path.remote, packet)

    def signer(
        self, made: bytes, packet: bytes, remote: LinkLayerAddress, local: LinkLayerAddress
    ) -> Key | None:
        key = self._by_id.get(signature.key_id(made))
        if key is None or not signature.is_right(made, _pair_key(key.secret, remote.ip), packet):
            return None
        return key


class InfrastructureKeys:
    """What a Relay or Server shares with everybody, by the link's ``secrets``.

    A Client is answered with the key it used last: it may have been away when others got a new one.
    """

    def __init__(self, neighbors: NeighborCache, secrets: Sequence[Key], required: bool) -> None:
        self.required = required
        self._neighbors = neighbors
        self._first = secrets[0]
        self._by_id = {secret.id: secret for secret in secrets}
        # By where the last packet signed with it came from; none but holders of keys get in.
        self._heard: dict[LinkLayerAddress, Key] = {}

    def sign(self, path: Path, packet: bytes) -> bytes:
        key = self._shared_at(path.remote)
        if key is None:
            return b""
        upper = path.remote if key.owner == INFRASTRUCTURE else path.local
        return _signed(key, upper, packet)

    def _shared_at(self, remote: LinkLayerAddress) -> Key | None:
        heard, owners = self._heard.get(remote), self._owners_at(remote)
        if heard is not None and (not owners or heard.owner in owners):
            return heard
        return _derived(self._first, owners[0]) if owners else None

    def _owners_at(self, remote: LinkLayerAddress) -> list[bytes]:
        owners = map(_owner, self._neighbors.at(remote))
        return [owner for owner in owners if owner is not None]

    def signer(
        self, made: bytes, packet: bytes, remote: LinkLayerAddress, local: LinkLayerAddress
    ) -> Key | None:
        secret = self._by_id.get(signature.key_id(made))
        if secret is None:
            return None
        for owner in self._possible_owners(packet, remote):
            key = _derived(secret, owner)
            if signature.is_right(made, _pair_key(key.secret, local.ip), packet):
                self._note(remote, _derived(self._first, owner) if owner == INFRASTRUCTURE else key)
                return key
        return None

    def _possible_owners(self, packet: bytes, remote: LinkLayerAddress) -> Iterator[bytes]:
        """Yield who may have signed ``packet``: the neighbors there, a Server, the Client that it names."""
        tried = self._owners_at(remote)
        yield from tried
        if INFRASTRUCTURE not in tried:
            yield INFRASTRUCTURE
        named = _client_id(packet)
        if named is not None and named not in tried:
            yield named

    def _note(self, remote: LinkLayerAddress, key: Key) -> None:
        if self._heard.get(remote) is key:
            return
        if len(self._by_id) == 1 and self._owners_at(remote):
            # There is nothing to choose from.
            self._heard.pop(remote, None)
            return
        while len(self._heard) >= _MOST:
            del self._heard[next(iter(self._heard))]
        self._heard[remote] = key


def make_keyring(role: str, neighbors: NeighborCache, keys: Sequence[Key], required: bool) -> Keyring:
    """Return the keyring of a node, whose ``keys`` are a Client's own or else the link's secrets."""
    kind = ClientKeys if role == "client" else InfrastructureKeys
    return kind(neighbors, keys, required)


def _signed(key: Key, upper: LinkLayerAddress, packet: bytes) -> bytes:
    return signature.sign(key.id, _pair_key(key.secret, upper.ip), packet)


def _owner(neighbor: Neighbor) -> bytes | None:
    """Return whose key is used with a neighbor, None for a correspondent, with whom none is shared."""
    if neighbor.trusted or neighbor.other_server:
        # Or a Client that now is at another Server, which sends and gets its packets (D25).
        return INFRASTRUCTURE
    if neighbor.kind == DYNAMIC:
        return None
    return neighbor.client_id or neighbor.link_local


def _client_id(packet: bytes) -> bytes | None:
    """Return the Client ID in a DHCPv6 message, None if there is none."""
    packet = bytes(packet)
    try:
        header = parse_ip(packet)
        if header.version != 6 or header.protocol != UDP:
            return None
        segment = packet[header.payload_offset : header.total_length]
        message = unpack(parse_udp(header.source, header.destination, segment).payload)
    except MalformedPacket:
        return None
    found = message.find(ClientId) if isinstance(message, Message) else None
    return None if found is None else found.value
