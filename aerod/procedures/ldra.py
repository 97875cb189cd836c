# SPDX-License-Identifier: GPL-3.0-or-later
"""The lightweight relay agent of a Server (RFC 6221, RFC 6422; section 3.15.3.1).

A Client's message goes into the AERO interface as a Relay-forward for the DHCPv6 server of this
host; the Relay-reply that comes back makes or ends the neighbor entry as it passes to the Client.
"""

from __future__ import annotations

from collections.abc import Callable

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, UNSPECIFIED, Prefix, is_link_local
from aerod.engines.plain import Arrival
from aerod.procedures.authentication import ClientsAuthentication
from aerod.procedures.bindings import Bindings
from aerod.procedures.grants import apply_reply
from aerod.procedures.interface_id import Request
from aerod.state.counters import Counters
from aerod.state.keyring import INFRASTRUCTURE
from aerod.wire import vendor_options as vendor
from aerod.wire.dhcpv6 import (
    ADVERTISE,
    CLIENT_MESSAGES,
    CLIENT_PORT,
    REBIND,
    RELAY_FORWARD,
    RELAY_REPLY,
    RELEASE,
    RENEW,
    REPLY,
    REQUEST,
    SERVER_PORT,
    SOLICIT,
    Message,
    RelayMessage,
    pack,
    unpack,
)
from aerod.wire.dhcpv6_options import (
    STATUS_UNSPEC_FAIL,
    ClientId,
    InterfaceId,
    RelayedMessage,
    ServerId,
    StatusCode,
    SuppliedOptions,
    VendorOptions,
)
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import UDP, IPHeader, build_ipv6
from aerod.wire.udp import UDPDatagram, build_udp, parse_udp

# Seconds that a message may be late: a neighbor of the underlay is looked for as long.
_LATE = 5.0


class Ldra:
    """Relays between Clients and the DHCPv6 server at ``own``, the 16-byte ``fe80::ID``.

    ``tag`` is random bytes of this start (D20); ``to_kernel(packet)`` writes into the AERO
    interface, ``to_client(packet, request)`` encapsulates to where the request came from.
    Without ``authentication`` a Client ID is believed.
    """

    def __init__(
        self,
        own: bytes,
        asps: tuple[Prefix, ...],
        layout: str,
        tag: bytes,
        bindings: Bindings,
        counters: Counters,
        to_kernel: Callable[[bytes], None],
        to_client: Callable[[bytes, Request], None],
        authentication: ClientsAuthentication | None = None,
    ) -> None:
        self._own = own
        self._asps = asps
        self._layout = layout
        self._tag = tag
        self._bindings = bindings
        self._counters = counters
        self._to_kernel = to_kernel
        self._to_client = to_client
        self._authentication = authentication

    # Upstream

    def from_client(self, arrival: Arrival, now: float, draining: bool = False) -> None:
        """Relay a Client's message to the DHCPv6 server; MalformedPacket if it is none.

        A Server that is ``draining`` takes no new Clients.
        """
        header = arrival.header
        datagram = _udp(arrival.packet, header)
        addressed = header.destination in (ALL_DHCP_AGENTS, self._own)
        if not addressed or datagram.destination_port != SERVER_PORT or not is_link_local(header.source):
            self._counters.drop("dhcpv6_address")
            return
        message = unpack(datagram.payload)
        if message.type not in CLIENT_MESSAGES:
            # Among them the Relay-forwards that only we may make (D20).
            self._counters.drop("dhcpv6_type")
            return
        if draining and message.type in (SOLICIT, REQUEST):
            self._counters.drop("dhcpv6_draining")
            return
        client_id = message.find(ClientId)
        signers = (INFRASTRUCTURE, client_id and client_id.value)
        if arrival.signer is not None and arrival.signer.owner not in signers:
            # A Client's key is good for that Client alone; a Server passes on what its Clients say.
            self._counters.drop("signature")
            return
        stamp = None
        if self._authentication is not None:
            stamp = self._authentication.accept(message, arrival.datagram.local.ip, now)
            if stamp is None:
                return
        if client_id is not None and self._is_overtaken(message, client_id.value, now):
            self._counters.drop("dhcpv6_overtaken")
            return
        asked = vendor.decode(message.options)
        link = next((value for value in asked if isinstance(value, vendor.AllaReq)), vendor.AllaReq())
        outer = arrival.datagram
        request = Request(message.type, outer.remote, outer.local.ip, link.link_id, link.preference, stamp)
        forward = RelayMessage(
            RELAY_FORWARD,
            header.source,
            (
                InterfaceId(request.pack(self._tag)),
                SuppliedOptions(vendor.encode(self._aero_options(request), vendor.LAYOUT_RFC8415)),
                RelayedMessage(datagram.payload),
            ),
        )
        payload = build_udp(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, SERVER_PORT, SERVER_PORT, pack(forward))
        self._counters["dhcpv6_relayed"] += 1
        self._to_kernel(build_ipv6(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, UDP, payload))

    def _is_overtaken(self, message: Message, duid: bytes, now: float) -> bool:
        """Whether this Renew or Rebind was sent before the Release that came by a shorter way.

        The DHCPv6 server would give back what the Client does not want, and nobody would end it.
        """
        neighbor = self._bindings.client(duid)
        if neighbor is None:
            return False
        if message.type in (RENEW, REBIND):
            return neighbor.released is not None and now < neighbor.released + _LATE
        if message.type in (RELEASE, SOLICIT, REQUEST):
            neighbor.released = now if message.type == RELEASE else None
        return False

    def _aero_options(self, request: Request) -> tuple[vendor.AllaRep, vendor.AspAdv]:
        seen = vendor.AllaRep(request.link_id, request.preference, request.client)
        return seen, vendor.AspAdv(self._asps)

    # Downstream

    def from_kernel(self, packet: bytes, header: IPHeader, now: float) -> None:
        """Pass a Relay-reply of the DHCPv6 server on to the Client; MalformedPacket if it is none."""
        datagram = _udp(packet, header)
        if header.source != self._own or datagram.source_port != SERVER_PORT:
            self._counters.drop("dhcpv6_source")
            return
        relayed = unpack(datagram.payload)
        if relayed.type != RELAY_REPLY or relayed.link_address != UNSPECIFIED:
            self._counters.drop("dhcpv6_no_reply")
            return
        note, inner = relayed.find(InterfaceId), relayed.find(RelayedMessage)
        if note is None or inner is None:
            raise MalformedPacket("Relay-reply without Interface-ID or message")
        request = Request.unpack(note.value, self._tag)
        message = unpack(inner.value)
        if message.type not in (ADVERTISE, REPLY):
            self._counters.drop("dhcpv6_type")
            return
        answer = self._answer(message, request, now)
        payload = inner.value if answer is message else pack(answer)
        if self._authentication is not None:
            payload = request.stamp and self._authentication.sign(answer, request.stamp)
            if payload is None:
                return
        segment = build_udp(self._own, relayed.peer_address, SERVER_PORT, CLIENT_PORT, payload)
        self._to_client(build_ipv6(self._own, relayed.peer_address, UDP, segment), request)

    def _answer(self, message: Message, request: Request, now: float) -> Message:
        """Act on the server's message; return it as the Client shall get it."""
        if message.type == REPLY:
            if self._refuses(message, request):
                return _unspecified_failure(message)
            apply_reply(self._bindings, message, request, self._asps, now)
        values = vendor.decode(message.options)
        has_own = any(isinstance(value, vendor.AllaRep) for value in values)
        if has_own and self._layout == vendor.LAYOUT_RFC8415:
            return message
        # Another layout is wanted, or the server does not return what a relay supplies.
        options = vendor.encode(self._aero_options(request), self._layout)
        return message.without(VendorOptions).with_options(*options)

    def _refuses(self, message: Message, request: Request) -> bool:
        """Whether the Client tries to give up its last link (O-42)."""
        client = message.find(ClientId)
        if request.preference or client is None:
            return False
        return self._bindings.disables_last_link(client.value, request.link_id)


def _unspecified_failure(message: Message) -> Message:
    identities = tuple(o for o in message.options if isinstance(o, ClientId | ServerId))
    status = StatusCode(STATUS_UNSPEC_FAIL, "the last enabled link cannot be given up")
    return Message(message.type, message.transaction_id, (*identities, status))


def _udp(packet: bytes, header: IPHeader) -> UDPDatagram:
    segment = packet[header.payload_offset : header.total_length]
    return parse_udp(header.source, header.destination, segment)
