# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote a DHCPv6 message, proven by a pre-shared key (O-26): a Server's side and a Client's.

Failure is silence and a counter.  A Server keeps no state of what it has not proven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aerod.procedures.exchange import Exchange, Signatures
from aerod.procedures.timestamps import WallClock
from aerod.state.counters import Counters
from aerod.state.dhcp_keys import DhcpKeys
from aerod.state.replays import WINDOW, Replays, is_stale, nearest
from aerod.wire.dhcpv6 import Message, pack
from aerod.wire.dhcpv6_authentication import (
    NTP_EPOCH,
    NTP_FRACTION,
    Key,
    Proof,
    made_for,
    proof_in,
    signed,
)
from aerod.wire.dhcpv6_options import Authentication, ClientId

_MASK = (1 << 64) - 1


def ntp_time(clock: WallClock, now: float) -> int:
    """Return the wall clock's time in units of 2**-32 s since 1900."""
    return int((now + clock.offset + NTP_EPOCH) * NTP_FRACTION)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an answer repeats of its question: for which address, by which key, and when it was made."""

    server: bytes
    key_id: int
    replay: int


class ClientsAuthentication:
    """A Server's side; ``own_addresses`` are the 16-byte link-layer addresses messages may be made for.

    Without ``keys``, which may change at any time, nobody proves anything.
    """

    def __init__(
        self,
        own_addresses: Iterable[bytes],
        has_lease: Callable[[bytes], bool],
        clock: WallClock,
        counters: Counters,
        save: Callable[[], None],
        now: float,
    ) -> None:
        self.keys = DhcpKeys(())
        self._own_addresses = tuple(own_addresses)
        self._replays = Replays(has_lease)
        self._clock = clock
        self._counters = counters
        self._save = save
        self._started = now

    def accept(self, message: Message, local: bytes, now: float) -> Stamp | None:
        """Return the stamp of a Client's message that came to our address ``local``, None for a bad one."""
        client, proof = message.find(ClientId), proof_in(message)
        if proof is None or client is None:
            _count_no_proof(self._counters, message)
            return None
        if len(message.find_all(ClientId)) > 1:
            # The DHCPv6 server might believe the one that we did not check.
            self._counters.drop("auth_form")
            return None
        duid = client.value
        secret = self.keys.secret_of(duid, proof.key_id)
        if secret is None:
            self._counters.drop("auth_key")
            return None
        # A Release through another Server may come to another of our addresses than it was made for.
        others = (address for address in self._own_addresses if address != local)
        server = made_for(message, proof, secret, (local, *others))
        if server is None:
            self._counters.drop("auth_mac")
            return None
        return Stamp(server, proof.key_id, proof.replay) if self._is_new(duid, proof, now) else None

    def _is_new(self, duid: bytes, proof: Proof, now: float) -> bool:
        """Whether nobody can have seen the message before; then it is remembered."""
        clock = ntp_time(self._clock, now)
        time = nearest(proof.replay, clock)
        if is_stale(time, clock):
            self._counters.drop("auth_clock")
        elif self._replays.holds(duid, time, ntp_time(self._clock, self._started)):
            self._counters.drop("auth_replay")
        else:
            self._replays.note(duid, time, proof.key_id, clock)
            self._save()
            return True
        return False

    def sign(self, message: Message, stamp: Stamp) -> bytes | None:
        """Return the answer to the message with ``stamp``, packed; None if its key is gone meanwhile."""
        client = message.find(ClientId)
        secret = client and self.keys.secret_of(client.value, stamp.key_id)
        if not secret:
            self._counters.drop("auth_key")
            return None
        return signed(message, Key(stamp.key_id, secret), stamp.server, stamp.replay)

    def describe(self) -> dict[str, Any]:
        """Return the keys with the number of Clients that were last heard with each."""
        by_key = {str(key_id): count for key_id, count in sorted(self._replays.clients_by_key().items())}
        return {"mode": "psk", "keys": list(self.keys.ids), "clients_by_key": by_key}

    def saved_state(self, now: float) -> dict[str, Any]:
        return {"replays": self._replays.saved_state(ntp_time(self._clock, now))}

    def restore(self, saved: dict[str, Any]) -> None:
        self._replays.restore(saved.get("replays", {}))


class Unauthenticated:
    """A Client's side where its DUID is enough."""

    def packed(self, message: Message, server: bytes, exchange: Exchange, now: float) -> bytes:
        """Return ``message`` of ``exchange``, for the Server at a 16-byte address, as it is sent."""
        return pack(message)

    def accepts(self, message: Message, server: bytes, exchange: Exchange) -> bool:
        """Whether ``message`` is the Server's answer to what ``exchange`` sent; counted if it is not."""
        return True

    def describe(self) -> dict[str, Any] | None:
        return None

    def saved_state(self) -> dict[str, Any]:
        return {}

    def restore(self, saved: dict[str, Any]) -> None:
        """There is nothing to remember."""


class OwnAuthentication(Unauthenticated):
    """A Client's side with keys: signs all it sends, and believes only signed answers to that."""

    def __init__(self, clock: WallClock, counters: Counters, save: Callable[[], None]) -> None:
        self.keys = DhcpKeys(())
        self._clock = clock
        self._counters = counters
        self._save = save
        self._last = 0

    def packed(self, message: Message, server: bytes, exchange: Exchange, now: float) -> bytes:
        time = self._next(now)
        if exchange.signatures is None:
            exchange.signatures = Signatures(time, time)
        exchange.signatures.last = time
        return signed(message, self.keys.newest, server, time & _MASK)

    def _next(self, now: float) -> int:
        """The time, but later than any we have used, also where the clock was set back.

        Only what was too far ahead for any Server to believe need not be remembered.
        """
        time = ntp_time(self._clock, now)
        if time <= self._last <= time + WINDOW * NTP_FRACTION:
            time = self._last + 1
        self._last = time
        self._save()
        return time

    def accepts(self, message: Message, server: bytes, exchange: Exchange) -> bool:
        proof, sent = proof_in(message), exchange.signatures
        secret = proof and self.keys.own_secret(proof.key_id)
        if proof is None:
            _count_no_proof(self._counters, message)
        elif secret is None:
            self._counters.drop("auth_key")
        elif made_for(message, proof, secret, (server,)) is None:
            self._counters.drop("auth_mac")
        elif sent is None or (proof.replay - sent.first) & _MASK > sent.last - sent.first:
            self._counters.drop("auth_replay")
        else:
            return True
        return False

    def describe(self) -> dict[str, Any]:
        return {"mode": "psk", "keys": list(self.keys.ids)}

    def saved_state(self) -> dict[str, Any]:
        return {"signed": self._last}

    def restore(self, saved: dict[str, Any]) -> None:
        self._last = int(saved.get("signed", 0))


def _count_no_proof(counters: Counters, message: Message) -> None:
    if message.find(Authentication) is None:
        counters.drop("auth_missing")
    else:
        counters.drop("auth_form")
