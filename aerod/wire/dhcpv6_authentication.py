# SPDX-License-Identifier: GPL-3.0-or-later
"""The authentication option of DHCPv6 (RFC 8415 section 21.11) as AERO's pre-shared keys use it (O-26).

Protocol 254, algorithm 1, RDM 0; the replay detection field is a time in NTP format; the information is
a 4-byte key ID and the HMAC-SHA-256 of a label, the Server's 16-byte link-layer address and the whole
message with the 32 bytes of the HMAC zero.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from aerod.wire.dhcpv6 import Message, pack
from aerod.wire.dhcpv6_options import Authentication

PROTOCOL, ALGORITHM, RDM = 254, 1, 0
MAC_LENGTH = 32
_KEY_ID_LENGTH = 4
_MESSAGE_LABEL = b"aero-psk-1"
_KEY_LABEL = b"aero-client-key-1"

# An NTP time is in seconds since 1900, in units of 2**-32 s (RFC 5905 section 6).
NTP_FRACTION = 1 << 32
NTP_EPOCH = 2208988800  # seconds from 1900 to 1970


class Key(NamedTuple):
    """A secret and its ID on the wire."""

    id: int
    secret: bytes


class Proof(NamedTuple):
    """What an authentication option says: ``replay`` as it is on the wire."""

    key_id: int
    replay: int
    mac: bytes


def client_key(master: bytes, duid: bytes) -> bytes:
    """Return the secret of the Client with this DUID, as it follows from a ``master`` secret."""
    return hmac.digest(master, _KEY_LABEL + duid, hashlib.sha256)


def signed(message: Message, key: Key, server: bytes, replay: int) -> bytes:
    """Return ``message`` packed with a right authentication option at its end.

    ``server`` is the 16-byte link-layer address of the Server, whichever way the message goes.
    """
    blank = pack(message.without(Authentication).with_options(_option(key.id, replay, bytes(MAC_LENGTH))))
    return blank[:-MAC_LENGTH] + _mac(key.secret, server, blank)


def proof_in(message: Message) -> Proof | None:
    """Return what the message's authentication option says, None unless there is one, of our kind."""
    options = message.find_all(Authentication)
    if len(options) != 1:
        return None
    (option,) = options
    kind = (option.protocol, option.algorithm, option.rdm)
    if kind != (PROTOCOL, ALGORITHM, RDM) or len(option.information) != _KEY_ID_LENGTH + MAC_LENGTH:
        return None
    key_id = int.from_bytes(option.information[:_KEY_ID_LENGTH], "big")
    return Proof(key_id, option.replay, option.information[_KEY_ID_LENGTH:])


def made_for(message: Message, proof: Proof, secret: bytes, servers: Iterable[bytes]) -> bytes | None:
    """Return for which of the link-layer addresses ``proof`` in ``message`` was made with ``secret``."""
    blank = _blanked(message)
    return next((at for at in servers if hmac.compare_digest(proof.mac, _mac(secret, at, blank))), None)


def _blanked(message: Message) -> bytes:
    """The message with the HMAC zero; what was unpacked packs to the same bytes otherwise."""
    options = tuple(
        replace(option, information=option.information[:_KEY_ID_LENGTH] + bytes(MAC_LENGTH))
        if isinstance(option, Authentication)
        else option
        for option in message.options
    )
    return pack(replace(message, options=options))


def _option(key_id: int, replay: int, mac: bytes) -> Authentication:
    information = key_id.to_bytes(_KEY_ID_LENGTH, "big") + mac
    return Authentication(PROTOCOL, ALGORITHM, RDM, replay, information)


def _mac(secret: bytes, server: bytes, blank: bytes) -> bytes:
    return hmac.digest(secret, _MESSAGE_LABEL + server + blank, hashlib.sha256)
