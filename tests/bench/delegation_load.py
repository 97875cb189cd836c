# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that ask for their prefixes: all their messages are made before, so that asking costs next to nothing.

They go through one of two doors, past aerod or through it, and each answer is looked into: a refusal is an error.
"""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, LinkLayerAddress
from aerod.config import load
from aerod.interface import Datagram, Underlay
from aerod.nodes.node import make_node
from aerod.procedures.exchange import Exchange
from aerod.procedures.requests import Identity, request
from aerod.shell import tun
from aerod.shell.dhcp_link import DhcpLink
from aerod.wire.dhcpv6 import CLIENT_PORT, REPLY, SERVER_PORT, SOLICIT, Message, pack
from aerod.wire.dhcpv6_authentication import NTP_EPOCH, NTP_FRACTION, Key, client_key, signed
from aerod.wire.dhcpv6_options import RelayedMessage
from aerod.wire.ip import UDP, build_ipv6
from aerod.wire.udp import build_udp
from tests.bench.delegation_table import acp
from tests.chaos import plan
from tests.namespaces import inside

PORT = 8060
MASTER = Key(1, bytes(range(32)))
_UNDERLAY = Underlay("eth0", 0, 255, ())
_MESSAGE = 48  # bytes of IPv6 and UDP header before a DHCPv6 message
_RELAY_HEADER = 34
_BATCH = 64
_LARGEST = 1 << 16
_LOST = 1.0  # seconds until a Client asks again (RFC 8415 section 7.6: SOL_TIMEOUT)
_PATIENCE = 60.0
_IP_PKTINFO, _SO_RCVBUFFORCE = 8, 33  # linux/in.h, asm-generic/socket.h


class Ask(NamedTuple):
    """One Client's Solicit with Rapid Commit to one Server, and what is to be in the Reply."""

    transaction: int
    server: str
    place: bytes  # where the Client is, an IPv4 address
    prefix: bytes  # 16 bytes
    packet: bytes  # as it goes into the tunnel


def ask(number: int, seat: int, server: plan.Node, psk: bool = False) -> Ask:
    """What Client ``number`` says to ``server``; no other has its ``seat``, a number below 65536."""
    duid = bytes.fromhex(plan.duid(number))
    exchange = Exchange(SOLICIT, _UNDERLAY, Random(), 0.0)
    exchange.transaction_id = seat << 8 | server.id
    message = request(Identity(duid, 1, "rfc8415"), exchange, 0, b"", {})
    payload = _signed(message, duid, server) if psk else pack(message)
    segment = build_udp(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, CLIENT_PORT, SERVER_PORT, payload)
    packet = build_ipv6(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, UDP, segment)
    place = ipaddress.IPv4Network(plan.CLIENT_NETWORK)[seat].packed
    return Ask(exchange.transaction_id, server.address, place, acp(number).network_address.packed, packet)


def _signed(message: Message, duid: bytes, server: plan.Node) -> bytes:
    key = Key(MASTER.id, client_key(MASTER.secret, duid))
    now = int((time.time() + NTP_EPOCH) * NTP_FRACTION)
    return signed(message, key, LinkLayerAddress.parse(server.address, PORT).ip, now)


class Door(Protocol):
    """A way to the DHCPv6 server."""

    def fileno(self) -> int:
        """The descriptor to wait on."""

    def send(self, each: Ask) -> None:
        """Send a Client's message."""

    def receive(self) -> Iterator[bytes]:
        """Yield the DHCPv6 messages for Clients that are waiting, some at least."""


class Straight:
    """In the place of aerod, with the very packets that it would write."""

    def __init__(self, namespace: str, config: Path) -> None:
        parsed = load(config)
        tap = parsed.server.dhcp_interface
        with inside(namespace):
            device = tun.attach(tap, tap=True) if tap else tun.attach(parsed.node.interface)
        self._device = DhcpLink(device) if tap else tun.Tun(device)
        self._aerod = make_node(parsed, 0.0, None, Random())

    def relayed(self, each: Ask) -> Ask:
        """What aerod makes of a Client's message."""
        local, remote = (LinkLayerAddress.parse(ip, PORT) for ip in (each.server, socket.inet_ntoa(each.place)))
        self._aerod.datagram_received(Datagram(each.packet, local, remote), 0.0)
        (packet,) = self._aerod.take_output().packets
        return each._replace(packet=packet)

    def fileno(self) -> int:
        return self._device.fileno()

    def send(self, each: Ask) -> None:
        self._device.write(each.packet)

    def receive(self) -> Iterator[bytes]:
        for packet in self._device.read(_BATCH):
            # Anything but Relay-replies is the kernel's own (RFC 4861, RFC 3810).
            if packet[6] == UDP and (message := _inside(packet[_MESSAGE + _RELAY_HEADER :])):
                yield message

    def close(self) -> None:
        os.close(self._device.fileno())


def _inside(options: bytes) -> bytes | None:
    """The message in the options of a Relay-reply."""
    offset = 0
    while offset < len(options):
        code, length = struct.unpack_from("!HH", options, offset)
        if code == RelayedMessage.code:
            return options[offset + 4 : offset + 4 + length]
        offset += 4 + length
    return None


class Through:
    """Through the Servers' aerod, each Client from an address of its own."""

    def __init__(self, namespace: str) -> None:
        with inside(namespace):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        self._socket.bind(("0.0.0.0", PORT))

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, each: Ask) -> None:
        source = [(socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4s", 0, each.place, bytes(4)))]
        self._socket.sendmsg([each.packet], source, 0, (each.server, PORT))

    def receive(self) -> Iterator[bytes]:
        for _number in range(_BATCH):
            try:
                yield self._socket.recv(_LARGEST)[_MESSAGE:]
            except BlockingIOError:
                return

    def close(self) -> None:
        self._socket.close()


class Answers:
    """Matches what comes through a door to what was asked."""

    def __init__(self, door: Door, asks: Iterable[Ask]) -> None:
        self._door = door
        self._asks = {each.transaction: each for each in asks}

    def receive(self) -> Iterator[Ask]:
        """Yield what was granted; RuntimeError for anything else."""
        for message in self._door.receive():
            answered = self._asks.get(int.from_bytes(message[1:4], "big"))
            if answered is None:
                continue
            if message[0] != REPLY or answered.prefix not in message:
                raise RuntimeError(f"no Reply that grants {answered.prefix.hex()}: {message.hex()}")
            yield answered


class Closed(NamedTuple):
    """What a closed loop found; a message that had to be sent again counts as lost."""

    seconds: float
    lost: int


def closed_loop(door: Door, asks: Iterable[Ask], outstanding: int) -> Closed:
    """Ask so that always ``outstanding`` asks wait for their answers."""
    waiting = deque(asks)
    answers = Answers(door, waiting)
    under_way: dict[int, Ask] = {}
    poll = select.poll()
    poll.register(door.fileno(), select.POLLIN)
    lost = 0
    started = heard = time.monotonic()
    while waiting or under_way:
        while waiting and len(under_way) < outstanding:
            each = waiting.popleft()
            under_way[each.transaction] = each
            door.send(each)
        if poll.poll(1000 * _LOST):
            heard = time.monotonic()
            for answered in answers.receive():
                under_way.pop(answered.transaction, None)
        else:
            if time.monotonic() > heard + _PATIENCE:
                raise RuntimeError(f"{len(under_way)} Clients have had no answer for {_PATIENCE:g} s")
            lost += len(under_way)
            for each in under_way.values():
                door.send(each)
    return Closed(time.monotonic() - started, lost)


def until_answered(door: Door, say: Callable[[], Ask], seconds: float) -> float:
    """Ask, each time anew, until there is an answer; return how long that took, RuntimeError after ``seconds``."""
    poll = select.poll()
    poll.register(door.fileno(), select.POLLIN)
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        each = say()
        door.send(each)
        if poll.poll(50) and any(True for _answered in Answers(door, [each]).receive()):
            return time.monotonic() - started
        time.sleep(0.01)
    raise RuntimeError(f"no answer within {seconds:g} s")
