# SPDX-License-Identifier: GPL-3.0-or-later
"""What the underlay's ICMP errors mean for the link (draft section 3.14).

They are believed only from a path to a neighbor (O-15), and acted on at once only when they tell a
size: all else has to persist.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from aerod.address import LinkLayerAddress
from aerod.interface import UnderlayError, UseChecksums
from aerod.procedures.errors import Errors
from aerod.procedures.probing import Probing
from aerod.state.counters import Counters
from aerod.state.neighbors import PERMANENT, NeighborCache
from aerod.state.outbox import Outbox
from aerod.state.path_mtu import ALWAYS_ADMITTED
from aerod.wire.carriage import Carriage
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPHeader, parse_ip

PERSISTENT = 3
WINDOW = 10.0

TOO_BIG, UNREACHABLE, REASSEMBLY = "too_big", "unreachable", "reassembly"

_ICMP_UNREACHABLE, _ICMP_TIME_EXCEEDED = 3, 11
_ICMP6_UNREACHABLE, _ICMP6_TOO_BIG = 1, 2
_FRAGMENTATION_NEEDED, _REASSEMBLY_TIME = 4, 1
# Of the inner packet its source needs to know what it was about (RFC 792).
_LEAST_PAYLOAD = 8


def meaning(error: UnderlayError) -> str | None:
    """Return TOO_BIG, UNREACHABLE or REASSEMBLY, None for what has no meaning here."""
    if error.kind == "local":
        return TOO_BIG
    if error.kind == "icmp":
        if error.type == _ICMP_UNREACHABLE:
            return TOO_BIG if error.code == _FRAGMENTATION_NEEDED else UNREACHABLE
        is_reassembly = (error.type, error.code) == (_ICMP_TIME_EXCEEDED, _REASSEMBLY_TIME)
        return REASSEMBLY if is_reassembly else None
    return {_ICMP6_TOO_BIG: TOO_BIG, _ICMP6_UNREACHABLE: UNREACHABLE}.get(error.type)


class Persistence:
    """Tells when an event came ``PERSISTENT`` times within ``WINDOW`` seconds for the same address."""

    def __init__(self) -> None:
        self._times: dict[LinkLayerAddress, deque[float]] = {}

    def noted(self, address: LinkLayerAddress, now: float) -> bool:
        """Count one more; return whether that makes it persistent, once for each so many."""
        # In the order of the last event: what is too old stands in front.
        times = self._times.pop(address, None) or deque(maxlen=PERSISTENT)
        for other in list(self._times):
            if self._times[other][-1] > now - WINDOW:
                break
            del self._times[other]
        times.append(now)
        if len(times) == PERSISTENT and now - times[0] <= WINDOW:
            return True
        self._times[address] = times
        return False


class UnderlayErrors:
    """Sorts them out.  ``persistent_unreachable(address, now)`` is told what NUD has to look into."""

    def __init__(
        self,
        carriage: Carriage,
        neighbors: NeighborCache,
        errors: Errors,
        probing: Probing,
        outbox: Outbox,
        counters: Counters,
        persistent_unreachable: Callable[[LinkLayerAddress, float], None],
    ) -> None:
        self._carriage = carriage
        self._neighbors = neighbors
        self._errors = errors
        self._probing = probing
        self._outbox = outbox
        self._counters = counters
        self._persistent_unreachable = persistent_unreachable
        self._unreachable = Persistence()
        self._reassembly = Persistence()
        self._actions = {
            TOO_BIG: self._too_big,
            UNREACHABLE: self._is_unreachable,
            REASSEMBLY: self._not_reassembled,
        }

    def received(self, error: UnderlayError, now: float) -> None:
        """Take one error."""
        act = self._actions.get(meaning(error))
        if act is None:
            self._counters.drop("underlay_error_ignored")
        elif not self._neighbors.at(error.remote):
            self._counters.drop("underlay_error_stranger")
        else:
            act(error, now)

    def _too_big(self, error: UnderlayError, now: float) -> None:
        """Translate for the source of the inner packet, if enough of that is quoted."""
        self._probing.too_big(error.local, error.remote, error.mtu, now)
        inner = self._inner(error)
        if inner is None:
            self._counters.drop("underlay_error_quote")
            return
        self._counters["underlay_too_big"] += 1
        mtu = max(ALWAYS_ADMITTED, error.mtu - self._carriage.encaps(error.remote))
        self._errors.too_big(*inner, mtu, now)

    def _inner(self, error: UnderlayError) -> tuple[bytes, IPHeader] | None:
        try:
            quoted = self._carriage.quoted(error.quote, error.protocol)
            if quoted.fragment is not None and quoted.fragment.offset:
                return None
            packet = bytes(quoted.body)
            header = parse_ip(packet, whole=False)
        except MalformedPacket:
            return None
        end = header.payload_offset + _LEAST_PAYLOAD
        return (packet, header) if len(packet) >= min(end, header.total_length) else None

    def _is_unreachable(self, error: UnderlayError, now: float) -> None:
        if any(neighbor.kind == PERMANENT for neighbor in self._neighbors.at(error.remote)):
            # Routing finds out by itself.
            self._counters.drop("underlay_unreachable_permanent")
            return
        self._counters["underlay_unreachable"] += 1
        if self._unreachable.noted(error.remote, now):
            self._persistent_unreachable(error.remote, now)

    def _not_reassembled(self, error: UnderlayError, now: float) -> None:
        """Somebody's reassembly fails: checksums keep it from joining what does not belong together."""
        self._counters["underlay_not_reassembled"] += 1
        if self._reassembly.noted(error.remote, now):
            self._outbox.actions.append(UseChecksums())
