# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference engine: moves every packet by the forwarding entries, one at a time.

A packet from the link passes decapsulation, data origin authentication (section 3.12) and
forwarding (section 3.9); one from the network layer forwarding alone.  What is no data - ND,
DHCPv6, errors to be made - is handed to the :class:`Punt` of the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aerod.address import LINK_LOCAL_PREFIX, MAPPED_PREFIX, UNSPECIFIED, LinkLayerAddress, is_multicast
from aerod.engines.anycast import is_anycast_tunnel, unwrapped
from aerod.engines.packet_kind import control_kind, is_local_service, is_nd
from aerod.engines.transmit import Transmitter
from aerod.interface import Datagram
from aerod.state.counters import Counters
from aerod.state.forwarding import Forwarding, Target, Verdict
from aerod.state.keyring import Key, Keyring, allows
from aerod.state.neighbors import STATIC, Neighbor, NeighborCache
from aerod.state.outbox import Outbox
from aerod.state.shortcuts import Shortcuts
from aerod.state.underlays import Path
from aerod.wire.carriage import Carriage
from aerod.wire.encapsulation import Encapsulated
from aerod.wire.errors import MalformedPacket
from aerod.wire.fragment import Reassembler
from aerod.wire.icmp import UNSPECIFIED_IPV4, is_error
from aerod.wire.ip import ECN_MASK, IPV4, IPV6, IPHeader, combine_ecn, parse_ip

# First bytes of a payload that are those of an inner packet; no byte is above them.
_BARE, _NOT_BARE = 0x40, 0x100
_LINK_SCOPE = (b"\xff\x02", MAPPED_PREFIX + bytes((224, 0, 0)))
_CONTROL_HOP_LIMIT = 64


@dataclass(slots=True)
class Arrival:
    """A whole inner packet from the link.

    ``origin`` is the neighbor that is entitled to send it, None if there is no such neighbor;
    ``datagram`` is the one that brought it, or the last fragment of it; ``signer`` is the key it
    was signed with, None if it was not.
    """

    packet: bytes
    header: IPHeader
    origin: Neighbor | None
    datagram: Datagram
    is_nd: bool = False
    signer: Key | None = None


class Punt(Protocol):
    """What an engine leaves to the node."""

    def expects(self, remote: LinkLayerAddress) -> bool:
        """Whether an answer from a stranger at ``remote`` is awaited."""

    def control_from_link(self, arrival: Arrival, now: float) -> None:
        """Take an ND or DHCPv6 message, for this node or passing through."""

    def control_from_kernel(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Take a DHCPv6 message of this host."""

    def unreachable(self, packet: bytes, header: IPHeader, now: float) -> None:
        """There is no way for the packet, which is dropped."""

    def refused(self, remote: LinkLayerAddress, header: IPHeader, now: float) -> None:
        """A packet was dropped, since ``remote`` may not send from its source."""

    def too_big(self, packet: bytes, header: IPHeader, mtu: int, now: float) -> None:
        """The packet was dropped, ``mtu`` bytes would have passed."""

    def with_own_source(self, packet: bytes, header: IPHeader) -> bytes | None:
        """Return an error from the unspecified address with one of ours as its source (section 3.14)."""


class PlainEngine:
    """Moves packets between the link and the network layer.

    ``largest`` is the size up to which fragments are put together; without ``keys`` nothing is
    signed here.
    """

    def __init__(
        self,
        neighbors: NeighborCache,
        forwarding: Forwarding,
        transmitter: Transmitter,
        outbox: Outbox,
        counters: Counters,
        punt: Punt,
        carriage: Carriage,
        largest: int,
        keys: Keyring | None = None,
    ) -> None:
        self._neighbors = neighbors
        self._forwarding = forwarding
        self._transmitter = transmitter
        self._outbox = outbox
        self._counters = counters
        self._punt = punt
        self._carriage = carriage
        self._lowest_bare = _BARE if carriage.bare else _NOT_BARE
        self._keys = keys
        self._reassembler = Reassembler(largest)
        # The ways of a Client that are better than the one through its Server.
        self.shortcuts: Shortcuts | None = None
        # The path to the group of the underlay for an inner one; no such function where it has no multicast.
        self.group_path: Callable[[bytes], Path | None] | None = None
        # The UDP port of tunnel packets inside the tunnel that are for us, None to take none.
        self.anycast_port: int | None = None

    def due(self) -> float | None:
        """When half-built packets have to be given up."""
        return self._reassembler.next_expiry()

    def handle_timer(self, now: float) -> None:
        self._counters["drop_reassembly_timeout"] += self._reassembler.expire(now)

    # From the link

    def from_link(self, datagram: Datagram, now: float) -> None:
        """Take a datagram from the underlay."""
        self._counters["received"] += 1
        try:
            payload = datagram.payload
            if payload and payload[0] >= self._lowest_bare:
                packet, signer = payload, None
            else:
                encapsulated = self._decapsulate(datagram, now)
                if encapsulated is None:
                    return
                packet, signer = bytes(encapsulated.body), None
                # Without keys nobody can tell whether a signature is right.
                if encapsulated.signature is not None and self._keys is not None:
                    signer = self._keys.signer(
                        encapsulated.signature, packet, datagram.remote, datagram.local
                    )
                    if signer is None:
                        self._counters.drop("signature")
                        return
            header = parse_ip(packet)
        except MalformedPacket:
            self._counters.drop("malformed")
            return
        origin = self._neighbors.origin(datagram.remote, int.from_bytes(header.source, "big"))
        if origin is not None:
            origin.note_heard(now)
        if header.version == 6 and header.destination[0] >= 0xFE:
            if self._is_authentic(signer, origin):
                self._link_scope(Arrival(packet, header, origin, datagram, signer=signer), now)
            return
        if origin is None:
            origin = self._origin_of_error(packet, header, datagram.remote)
        if origin is None:
            self._counters.drop("origin")
            self._punt.refused(datagram.remote, header, now)
            return
        if not self._is_authentic(signer, origin):
            return
        self.forward(Arrival(packet, header, origin, datagram), now)

    def forward(self, arrival: Arrival, now: float) -> None:
        """Pass an authenticated packet on, to a neighbor or up to the network layer."""
        target = self._forwarding.target(int.from_bytes(arrival.header.destination, "big"))
        if arrival.origin.other_server and not _is_client_here(target):
            self._counters.drop("from_other_server")
        elif isinstance(target, Neighbor):
            self._conduit(arrival, target, now)
        elif target is Verdict.LOCAL:
            if self.anycast_port and is_anycast_tunnel(arrival.packet, arrival.header, self.anycast_port):
                self._from_tunnel_inside(arrival, now)
            else:
                self._to_kernel(arrival)
        elif target is Verdict.UNREACHABLE:
            self._counters.drop("unreachable")
            self._punt.unreachable(arrival.packet, arrival.header, now)
        else:
            self._counters.drop("no_route")

    def _from_tunnel_inside(self, arrival: Arrival, now: float) -> None:
        """Decapsulate once more, and never again (section 3.22).

        Only a correspondent may send this way: anybody outside can write a Server's address there.
        """
        try:
            datagram = unwrapped(arrival.packet, arrival.header)
            encapsulated = self._decapsulate(datagram, now)
            if encapsulated is None:
                return
            packet = bytes(encapsulated.body)
            header = parse_ip(packet)
        except MalformedPacket:
            self._counters.drop("malformed_anycast")
            return
        origin = self._neighbors.origin(datagram.remote, int.from_bytes(header.source, "big"))
        target = self._forwarding.target(int.from_bytes(header.destination, "big"))
        signed = encapsulated.signature is not None
        if origin is None or origin.trusted or signed or target is not Verdict.LOCAL:
            self._counters.drop("anycast_origin")
            return
        inside = Arrival(packet, header, origin, datagram)
        if header.version == 6 and header.destination[0] >= 0xFE:
            self._link_scope(inside, now)
        else:
            self._to_kernel(inside)

    def _decapsulate(self, datagram: Datagram, now: float) -> Encapsulated | None:
        """Return the whole packet that came or became whole; None if there is none yet, or none to take."""
        remote, local = datagram.remote, datagram.local
        encapsulated = self._carriage.decode(datagram.payload, remote, local, datagram.protocol)
        if encapsulated.next_header not in (IPV4, IPV6):
            raise MalformedPacket(f"nothing here takes protocol {encapsulated.next_header}")
        fragment, signature = encapsulated.fragment, encapsulated.signature
        is_start = fragment is None or fragment.offset == 0
        if signature is None and is_start and self._keys is not None and self._keys.required:
            self._counters.drop("unsigned")
            return None
        return encapsulated if fragment is None else self._reassemble(datagram, encapsulated, now)

    def _is_authentic(self, signer: Key | None, origin: Neighbor | None) -> bool:
        if self._keys is None or allows(self._keys, signer, origin):
            return True
        self._counters.drop("signature")
        return False

    def _reassemble(
        self, datagram: Datagram, encapsulated: Encapsulated, now: float
    ) -> Encapsulated | None:
        remote = datagram.remote
        if self._neighbors.accepted_at(remote) is None and not self._punt.expects(remote):
            self._counters.drop("fragment_origin")
            return None
        return self._reassembler.add((remote, datagram.local), encapsulated, now)

    def _origin_of_error(self, packet: bytes, header: IPHeader, remote: LinkLayerAddress) -> Neighbor | None:
        """Return who sent an error from the unspecified address, which is nobody's own (O-17)."""
        if header.source not in (UNSPECIFIED, UNSPECIFIED_IPV4) or not is_error(packet, header):
            return None
        return self._neighbors.accepted_at(remote)

    def _link_scope(self, arrival: Arrival, now: float) -> None:
        """Sort out a packet to a link-local or multicast address."""
        kind = control_kind(arrival.packet, arrival.header)
        if kind == "dhcpv6" or (kind == "nd" and arrival.origin is not None):
            arrival.is_nd = kind == "nd"
            self._punt.control_from_link(arrival, now)
        elif arrival.origin is None:
            self._counters.drop("origin")
        elif not arrival.header.destination.startswith(LINK_LOCAL_PREFIX):
            self._counters.drop("multicast")
        else:
            self.forward(arrival, now)

    def _conduit(self, arrival: Arrival, target: Neighbor, now: float) -> None:
        """Pass a packet from neighbor to neighbor: inner packet untouched, never a loop."""
        if target is arrival.origin:
            self._counters.drop("back_to_sender")
        elif target.upstream and arrival.origin.upstream:
            self._counters.drop("upstream_to_upstream")
        elif self._send(target, arrival.packet, arrival.header, arrival.datagram, now):
            self._counters["forwarded"] += 1

    def _to_kernel(self, arrival: Arrival) -> None:
        packet, header = arrival.packet, arrival.header
        if header.version == 6:
            link_local = header.destination.startswith(LINK_LOCAL_PREFIX)
            if link_local and not is_local_service(packet, header, arrival.origin):
                self._counters.drop("not_for_kernel")
                return
            if is_nd(packet, header):
                self._counters.drop("nd_to_kernel")
                return
        elif is_multicast(header.destination):
            self._counters.drop("multicast")
            return
        outer_class = arrival.datagram.outer.traffic_class
        if (outer_class ^ header.traffic_class) & ECN_MASK:
            packet = combine_ecn(packet, outer_class)
            if packet is None:
                self._counters.drop("congestion")
                return
        if header.source in (UNSPECIFIED, UNSPECIFIED_IPV4):
            packet = self._punt.with_own_source(packet, header)
            if packet is None:
                self._counters.drop("unspecified_source")
                return
        self._counters["delivered"] += 1
        self._outbox.packets.append(bytes(packet))

    # From the network layer

    def from_kernel(self, packet: bytes, now: float) -> None:
        """Take a packet that the network layer sent into the AERO interface."""
        self._counters["from_tun"] += 1
        try:
            header = parse_ip(packet)
        except MalformedPacket:
            self._counters.drop("malformed_tun")
            return
        kind = control_kind(packet, header) if header.version == 6 else None
        if kind == "nd":
            self._counters.drop("nd_from_kernel")
        elif kind == "dhcpv6" and header.destination[0] >= 0xFE:
            self._punt.control_from_kernel(packet, header, now)
        elif is_multicast(header.destination):
            self._multicast_from_kernel(packet, header, now)
        else:
            self.send_from_here(packet, header, now)

    def _multicast_from_kernel(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Send what is for the whole link to a Server, or a group of the underlay (section 3.24)."""
        server = self._forwarding.multicast
        source = self._forwarding.target(int.from_bytes(header.source, "big"))
        if server is None or source is not Verdict.LOCAL or not header.destination.startswith(_LINK_SCOPE):
            self._counters.drop("multicast")
            return
        # Such packets often have hop limit 1, and the Server is many hops away (O-9).
        far = header._replace(hop_limit=max(header.hop_limit, _CONTROL_HOP_LIMIT))
        path = self.group_path(header.destination) if self.group_path and header.version == 6 else None
        if path is None:
            self._send(server, packet, far, None, now)
        else:
            self._transmitter.send(path, packet, far, None)

    def send_from_here(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Send a packet of this node's network layer to the neighbor its destination leads to."""
        target = self._forwarding.target(int.from_bytes(header.destination, "big"))
        if isinstance(target, Neighbor):
            if self._admits(header):
                if self.shortcuts is not None:
                    target = self.shortcuts.way(target, packet, header, now)
                self._send(target, packet, header, None, now)
        elif target is Verdict.LOCAL:
            # The network layer has no better idea either: sending it back would loop.
            self._counters.drop("loop")
        elif target is Verdict.UNREACHABLE:
            self._counters.drop("unreachable")
            self._punt.unreachable(packet, header, now)
        else:
            self._counters.drop("no_route")

    def _admits(self, header: IPHeader) -> bool:
        if not self._forwarding.own_sources_only:
            return True
        source: Target | None = self._forwarding.target(int.from_bytes(header.source, "big"))
        if source is Verdict.LOCAL:
            return True
        self._counters.drop("source")
        return False

    def _send(
        self, target: Neighbor, packet: bytes, header: IPHeader, datagram: Datagram | None, now: float
    ) -> bool:
        if target.path is None:
            self._counters.drop("no_path")
            return False
        target.note_sent(now)
        mtu = self._transmitter.send(target.path, packet, header, datagram and datagram.outer)
        if mtu is None:
            return True
        self._counters.drop("too_big")
        self._punt.too_big(packet, header, mtu, now)
        return False


def _is_client_here(target: Target | None) -> bool:
    """Whether what another Server sends may go there: to a Client that has not left (D25)."""
    return isinstance(target, Neighbor) and target.kind == STATIC and not target.other_server
