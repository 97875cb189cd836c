# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingress of the tunnel: what becomes of an inner packet by its size (section 3.13)."""

from __future__ import annotations

from random import Random

from aerod.address import MAPPED_PREFIX
from aerod.interface import Datagram, OuterHeader
from aerod.state.counters import Counters
from aerod.state.keyring import Keyring
from aerod.state.outbox import Outbox
from aerod.state.path_mtu import ALWAYS_ADMITTED, PathMtu
from aerod.state.underlays import Path
from aerod.wire.carriage import Carriage
from aerod.wire.encapsulation import FragmentField, inner_protocol
from aerod.wire.fragment import LARGEST_PIECE, MINIMUM_MTU, split
from aerod.wire.ip import IPHeader, flow_label
from aerod.wire.ipv4_fragment import fragment_ipv4

_IDENTIFICATIONS = 1 << 32


class Transmitter:
    """Encapsulates inner packets and puts them into the outbox.

    ``path_mtu`` knows the paths that carry 1500 bytes whole; without ``keys`` nothing is signed.
    """

    def __init__(
        self,
        outbox: Outbox,
        counters: Counters,
        random: Random,
        carriage: Carriage,
        path_mtu: PathMtu,
        keys: Keyring | None = None,
    ) -> None:
        self._outbox = outbox
        self._counters = counters
        self._carriage = carriage
        self._path_mtu = path_mtu
        self._keys = keys
        self._identification = random.randrange(_IDENTIFICATIONS)
        self._whole = self._emit_bare if carriage.bare else self._emit_encoded

    def send(self, path: Path, packet: bytes, header: IPHeader, previous: OuterHeader | None) -> int | None:
        """Send a data packet over ``path``; return the MTU to report if it is too big, else None.

        ``previous`` is the outer header of a packet that came from the link, which the next
        one continues; None for a packet that comes from a network layer.
        """
        outer = _first_outer(path, packet, header) if previous is None else _next_outer(
            path, packet, header, previous
        )  # fmt: skip
        length = len(packet)
        if length <= MINIMUM_MTU - path.encaps:
            self._whole(path, packet, outer)
        elif length <= ALWAYS_ADMITTED:
            if self._path_mtu.carries(path):
                outer.dont_fragment = True
                self._whole(path, packet, outer)
            else:
                self._fragment(path, packet, outer)
        elif header.version == 4 and not header.dont_fragment:
            # The pieces are rebuilt by the final destination, not by the egress.
            for piece in fragment_ipv4(packet, LARGEST_PIECE - path.encaps):
                self._whole(path, piece, outer)
        elif length + path.encaps > path.mtu:
            return max(ALWAYS_ADMITTED, path.mtu - path.encaps)
        else:
            outer.dont_fragment = True
            self._whole(path, packet, outer)
        return None

    def send_control(self, path: Path, packet: bytes, header: IPHeader) -> None:
        """Send an own control message, of whatever size."""
        # All of them are made here with hop limit 255, which reaches the outer header (O-9).
        self._fragment(path, packet, _first_outer(path, packet, header))

    def send_probe(self, path: Path, packet: bytes, header: IPHeader) -> None:
        """Send an own control message padded to the largest packet that is always admitted (O-13)."""
        outer = _first_outer(path, packet, header)
        outer.dont_fragment = True
        # A whole packet has no fragment fields, which ENCAPS counts: zeros take their place too.
        missing = path.encaps - self._carriage.encaps_of_whole(path.remote)
        padding = bytes(ALWAYS_ADMITTED + missing - len(packet))
        self._whole(path, packet + padding, outer)

    def _fragment(self, path: Path, packet: bytes, outer: OuterHeader) -> None:
        pieces = split(len(packet), path.encaps)
        if len(pieces) == 1:
            self._whole(path, packet, outer)
            return
        self._identification = (self._identification + 1) % _IDENTIFICATIONS
        next_header = inner_protocol(packet)
        signature = self._signature(path, packet)
        for offset, length in pieces:
            piece = packet[offset : offset + length]
            fragment = FragmentField(offset, offset + length < len(packet), self._identification)
            self._encode(path, piece, outer, next_header, fragment, b"" if offset else signature)

    def _emit_encoded(self, path: Path, packet: bytes, outer: OuterHeader) -> None:
        self._encode(path, packet, outer, inner_protocol(packet), None, self._signature(path, packet))

    def _signature(self, path: Path, packet: bytes) -> bytes:
        return b"" if self._keys is None else self._keys.sign(path, packet)

    def _encode(
        self,
        path: Path,
        body: bytes,
        outer: OuterHeader,
        next_header: int,
        fragment: FragmentField | None,
        signature: bytes,
    ) -> None:
        carriage = self._carriage
        payload = carriage.encode(body, next_header, fragment, signature, (path.local, path.remote))
        protocol = carriage.protocol(next_header, fragment)
        self._counters["sent"] += 1
        self._outbox.datagrams.append(
            Datagram(payload, path.local, path.remote, outer, path.link_id, protocol)
        )

    def _emit_bare(self, path: Path, packet: bytes, outer: OuterHeader) -> None:
        self._counters["sent"] += 1
        self._outbox.datagrams.append(Datagram(packet, path.local, path.remote, outer, path.link_id))


def _first_outer(path: Path, packet: bytes, header: IPHeader) -> OuterHeader:
    """Copy from the inner header, for a packet that enters the link (section 3.10)."""
    label = 0 if path.remote.is_ipv4 else flow_label(packet, header)
    return OuterHeader(header.hop_limit, header.traffic_class, label)


def _next_outer(path: Path, packet: bytes, header: IPHeader, previous: OuterHeader) -> OuterHeader:
    """Copy from the previous outer header, for a packet that stays on the link (section 3.10)."""
    label = 0
    if not path.remote.ip.startswith(MAPPED_PREFIX):
        # An IPv4 outer header has none to copy (O-8).
        label = previous.flow_label or flow_label(packet, header)
    return OuterHeader(previous.hop_limit, previous.traffic_class, label)
