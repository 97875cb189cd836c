# SPDX-License-Identifier: GPL-3.0-or-later
"""The Interface-ID of the relay agent: all it must remember of a message until the answer (O-32).

Every new Client writes from the same address, so only this tells their answers apart.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aerod.address import LinkLayerAddress
from aerod.procedures.authentication import Stamp
from aerod.wire.errors import MalformedPacket

TAG_LENGTH = 8
# UDP port, address, Link ID and Preference of the Client; our own address; type of the message.
_FIELDS = struct.Struct("!H16sBB16sB")
# Of an authenticated message: for which of our addresses it was made, key ID, replay detection field.
_STAMP = struct.Struct("!16sIQ")


@dataclass(frozen=True, slots=True)
class Request:
    """Where a Client's message came from and what it was, as the Interface-ID keeps it."""

    type: int
    client: LinkLayerAddress
    local: bytes
    link_id: int
    preference: int
    stamp: Stamp | None = None

    def pack(self, tag: bytes) -> bytes:
        address, port = self.client
        fields = _FIELDS.pack(port, address, self.link_id, self.preference, self.local, self.type)
        stamp = self.stamp
        return fields + (_STAMP.pack(stamp.server, stamp.key_id, stamp.replay) if stamp else b"") + tag

    @classmethod
    def unpack(cls, value: bytes, tag: bytes) -> Request:
        """Read an Interface-ID; MalformedPacket if it is not one made with ``tag``."""
        length = len(value) - len(tag)
        if length not in (_FIELDS.size, _FIELDS.size + _STAMP.size) or not value.endswith(tag):
            raise MalformedPacket("Interface-ID is not ours")
        port, address, link_id, preference, local, kind = _FIELDS.unpack_from(value)
        stamp = Stamp(*_STAMP.unpack_from(value, _FIELDS.size)) if length > _FIELDS.size else None
        return cls(kind, LinkLayerAddress(address, port), local, link_id, preference, stamp)
