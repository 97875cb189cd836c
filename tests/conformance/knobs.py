# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration that the suite turns, in one place: tables for ``Bench.configure`` and ``configure_all``."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from tests.conformance.addresses import mapped
from tests.conformance.bench import NODES, Bench
from tests.conformance.packets import AERO

Tables = dict[str, Any]

# How data travels, one value for the link (O-7).
GUE: Tables = {"link": {"encapsulation": "gue"}}
RAW: Tables = {"link": {"encapsulation": "raw"}}

# UDP checksums over IPv4 (O-14), probes (O-13), the largest packet rebuilt from fragments (section 3.13).
CHECKSUM_NEVER: Tables = {"link": {"udp_checksum": "never"}}
NO_PROBES: Tables = {"link": {"probe": False}}
REASSEMBLE_4096: Tables = {"link": {"reassembly_size": 4096}}


# Signatures (O-4). A Client has a key of its own, Relays and Servers share one; all come from one secret.

KEY_ID = 11
SECRET = hashlib.sha256(b"the link").digest()


def signing_key(node: str) -> bytes:
    owner = bytes.fromhex(NODES[node].duid) if NODES[node].role == "client" else b""
    return hmac.digest(SECRET, b"aero-signature-key-1" + owner, "sha256")


def sign_everything(bench: Bench) -> None:
    """Give each node its keys, and have unsigned packets refused."""
    for name in bench.configs:
        kind, secret = "signature_secret", SECRET
        if NODES[name].role == "client":
            kind, secret = "signature_key", signing_key(name)
        tables = {kind: [{"id": KEY_ID, "secret": secret.hex()}]}
        bench.configure(name, link={"require_signature": True}, **tables)


def signature(packet: bytes, lower: str, upper_address: str, key_id: int = KEY_ID, key: bytes | None = None) -> bytes:
    """The 20 bytes for a packet between two neighbors, ``upper_address`` being the Server's, or else the receiver's."""
    pair = hmac.digest(key or signing_key(lower), b"aero-signature-1" + mapped(upper_address), "sha256")
    return key_id.to_bytes(4, "big") + hmac.digest(pair, packet, "sha256")[:16]


def signed(packet: bytes, *arguments: Any, **how: Any) -> bytes:
    """A payload with AERO header and signature; arguments as those of :func:`signature`."""
    made = signature(packet, *arguments, **how)
    return bytes(AERO(S=1, nh=41 if packet[0] >> 4 == 6 else 4, signature=made)) + packet
