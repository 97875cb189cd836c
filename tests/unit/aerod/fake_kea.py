# SPDX-License-Identifier: GPL-3.0-or-later
"""A DHCPv6 server that answers Relay-forwards from a table, in the ways measured at Kea 2.2."""

from __future__ import annotations

from aerod.address import Prefix
from aerod.wire.dhcpv6 import (
    ADVERTISE,
    REBIND,
    RELAY_REPLY,
    RELEASE,
    RENEW,
    REPLY,
    REQUEST,
    SOLICIT,
    Message,
    RelayMessage,
    pack,
    unpack,
)
from aerod.wire.dhcpv6_options import (
    IAPD,
    STATUS_NO_BINDING,
    STATUS_NO_PREFIX_AVAIL,
    STATUS_SUCCESS,
    ClientId,
    IAPrefix,
    InterfaceId,
    RapidCommit,
    RelayedMessage,
    ServerId,
    SolMaxRT,
    StatusCode,
    SuppliedOptions,
)
from aerod.wire.ip import UDP, IPHeader, build_ipv6
from aerod.wire.udp import build_udp, parse_udp


class FakeKea:
    """Grants the n-th prefix of a DUID to the IA_PD n; a table may change at any time."""

    def __init__(self, own: bytes, table: dict[bytes, list[str]]) -> None:
        self.own = own
        self.server_id = b"\x00\x02kea" + own[-2:]
        self.table = dict(table)
        self.preferred, self.valid, self.t1, self.t2 = 3600, 7200, 1000, 2000
        self.rapid_commit = True
        self.silent = False
        self.no_binding = False
        self.sol_max_rt: int | None = None
        self.seen: list[Message] = []
        self.requests: list[RelayMessage] = []
        self.leases: dict[tuple[bytes, int], Prefix] = {}

    def answer(self, packet: bytes, header: IPHeader, now: float) -> list[bytes]:
        segment = packet[header.payload_offset : header.total_length]
        datagram = parse_udp(header.source, header.destination, segment)
        forward = unpack(datagram.payload)
        message = unpack(forward.find(RelayedMessage).value)
        self.requests.append(forward)
        self.seen.append(message)
        reply = None if self.silent else self._reply(message, forward)
        if reply is None:
            return []
        answer = RelayMessage(
            RELAY_REPLY, forward.peer_address, (forward.find(InterfaceId), RelayedMessage(pack(reply)))
        )
        udp = build_udp(self.own, header.source, 547, datagram.source_port, pack(answer))
        return [build_ipv6(self.own, header.source, UDP, udp)]

    def _reply(self, message: Message, forward: RelayMessage) -> Message | None:
        server = message.find(ServerId)
        if message.type in (REQUEST, RENEW, RELEASE) and (server is None or server.value != self.server_id):
            return None
        duid = message.find(ClientId)
        common = (duid, ServerId(self.server_id), *forward.find(SuppliedOptions).options)
        if message.type == RELEASE:
            return self._released(message, common)
        if message.type in (RENEW, REBIND) and self.no_binding:
            refusals = [
                IAPD(ia.iaid, 0, 0, (StatusCode(STATUS_NO_BINDING),)) for ia in message.find_all(IAPD)
            ]
            return Message(REPLY, message.transaction_id, (*common, *refusals))
        rapid = message.find(RapidCommit) is not None and self.rapid_commit
        kind = ADVERTISE if message.type == SOLICIT and not rapid else REPLY
        options = [RapidCommit()] if message.type == SOLICIT and rapid else []
        options += [] if self.sol_max_rt is None else [SolMaxRT(self.sol_max_rt)]
        options += [self._association(duid.value, ia, message.type) for ia in message.find_all(IAPD)]
        return Message(kind, message.transaction_id, (*common, *options))

    def _association(self, duid: bytes, asked: IAPD, kind: int) -> IAPD:
        prefixes = self.table.get(duid, [])
        options: list = []
        granted = None
        if asked.iaid <= len(prefixes):
            granted = Prefix.parse(prefixes[asked.iaid - 1])
            options.append(IAPrefix(self.preferred, self.valid, granted.length, granted.packed))
            self.leases[duid, asked.iaid] = granted
        if kind in (RENEW, REBIND):
            # What is not the Client's (any more) comes back with lifetimes 0.
            for named in asked.find_all(IAPrefix):
                if named.acp != granted:
                    options.append(IAPrefix(0, 0, named.length, named.prefix))
        if granted is None:
            options.append(StatusCode(STATUS_NO_PREFIX_AVAIL, "Sorry, no prefixes could be allocated."))
        return IAPD(asked.iaid, self.t1, self.t2, tuple(options))

    def _released(self, message: Message, common: tuple) -> Message:
        released = [
            IAPD(ia.iaid, 0, 0, (StatusCode(STATUS_SUCCESS, "Lease released."),))
            for ia in message.find_all(IAPD)
        ]
        for ia in message.find_all(IAPD):
            self.leases.pop((message.find(ClientId).value, ia.iaid), None)
        success = StatusCode(STATUS_SUCCESS, "Summary status for all processed IA_PDs")
        return Message(REPLY, message.transaction_id, (*common, success, *released))
