# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 messages (RFC 8415 sections 8 and 9): between Client and Server, and of relay agents."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Self

from aerod.address import UNSPECIFIED
from aerod.wire.dhcpv6_options import (
    IN_MESSAGE,
    IN_RELAY_MESSAGE,
    Option,
    pack_options,
    unpack_options,
)
from aerod.wire.errors import MalformedPacket
from aerod.wire.options import HasOptions

CLIENT_PORT = 546
SERVER_PORT = 547

SOLICIT = 1
ADVERTISE = 2
REQUEST = 3
CONFIRM = 4
RENEW = 5
REBIND = 6
REPLY = 7
RELEASE = 8
DECLINE = 9
RECONFIGURE = 10
INFORMATION_REQUEST = 11
RELAY_FORWARD = 12
RELAY_REPLY = 13

CLIENT_MESSAGES = frozenset({SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, RELEASE, DECLINE, INFORMATION_REQUEST})
SERVER_MESSAGES = frozenset({ADVERTISE, REPLY, RECONFIGURE})
RELAY_MESSAGES = frozenset({RELAY_FORWARD, RELAY_REPLY})

_RELAY = struct.Struct("!BB16s16s")


class _EditableOptions(HasOptions):
    """Changed copies of a message; messages themselves never change."""

    __slots__ = ()

    def with_options(self, *options: Option) -> Self:
        """Return a copy with ``options`` appended."""
        return replace(self, options=(*self.options, *options))

    def without(self, kind: type[Option]) -> Self:
        """Return a copy that lacks every option of class ``kind``."""
        return replace(self, options=tuple(o for o in self.options if not isinstance(o, kind)))


@dataclass(frozen=True, slots=True)
class Message(_EditableOptions):
    """A message between Client and Server; ``transaction_id`` has 24 bits."""

    type: int
    transaction_id: int
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class RelayMessage(_EditableOptions):
    """A Relay-forward or Relay-reply; the addresses are 16 bytes."""

    type: int
    peer_address: bytes
    options: tuple[Option, ...] = ()
    hop_count: int = 0
    link_address: bytes = UNSPECIFIED


def unpack(data: bytes) -> Message | RelayMessage:
    """Return the message in a UDP payload; MalformedPacket if it is none."""
    data = bytes(data)
    if len(data) < 4:
        raise MalformedPacket("DHCPv6 message is cut short", len(data))
    if data[0] in RELAY_MESSAGES:
        return _unpack_relay(data)
    return Message(data[0], int.from_bytes(data[1:4], "big"), unpack_options(data[4:], IN_MESSAGE))


def _unpack_relay(data: bytes) -> RelayMessage:
    if len(data) < _RELAY.size:
        raise MalformedPacket("DHCPv6 relay message is cut short", len(data))
    kind, hop_count, link_address, peer_address = _RELAY.unpack_from(data)
    options = unpack_options(data[_RELAY.size :], IN_RELAY_MESSAGE)
    return RelayMessage(kind, peer_address, options, hop_count, link_address)


def pack(message: Message | RelayMessage) -> bytes:
    """Return the UDP payload that carries ``message``."""
    if isinstance(message, RelayMessage):
        fixed = _RELAY.pack(message.type, message.hop_count, message.link_address, message.peer_address)
    else:
        fixed = bytes([message.type]) + message.transaction_id.to_bytes(3, "big")
    return fixed + pack_options(message.options)
