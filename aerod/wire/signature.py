# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature in the AERO header: Key ID, and HMAC-SHA-256 of the inner packet cut to 16 bytes (O-4)."""

from __future__ import annotations

import hashlib
import hmac

from aerod.wire.encapsulation import SIGNATURE_LENGTH

_KEY_ID_LENGTH = 4
_OWNER_LABEL = b"aero-signature-key-1"
_PAIR_LABEL = b"aero-signature-1"


def derived_key(secret: bytes, owner: bytes) -> bytes:
    """Return the key of a Client by a ``secret`` of the link; that of Relays and Servers has no owner.

    ``owner`` is the Client's DUID, or its 16-byte AERO address if it does not use DHCPv6.  The
    controller makes the Clients' keys in the same way (plugins/module_utils/_client_keys.py).
    """
    return hmac.digest(secret, _OWNER_LABEL + owner, hashlib.sha256)


def pair_key(key: bytes, upper: bytes) -> bytes:
    """Return the key of two neighbors: that of the lower one with the upper one's 16-byte address.

    A Server is above its Clients, and whoever receives among Relays and Servers above the sender.
    The address makes what one Server was sent worthless at another.
    """
    return hmac.digest(key, _PAIR_LABEL + upper, hashlib.sha256)


def sign(key_id: int, key: bytes, packet: bytes | memoryview) -> bytes:
    """Return the 20 bytes for the whole inner ``packet``."""
    mac = hmac.digest(key, packet, hashlib.sha256)
    return key_id.to_bytes(_KEY_ID_LENGTH, "big") + mac[: SIGNATURE_LENGTH - _KEY_ID_LENGTH]


def key_id(signature: bytes) -> int:
    """Return which key a signature says it was made with."""
    return int.from_bytes(signature[:_KEY_ID_LENGTH], "big")


def is_right(signature: bytes, key: bytes, packet: bytes | memoryview) -> bool:
    """Whether ``signature`` was made for ``packet`` with ``key``."""
    return hmac.compare_digest(signature, sign(key_id(signature), key, packet))
