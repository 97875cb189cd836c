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


# Signatures (O-4). A pair of neighbors has the secret of the lower one: a Client's, or a Server's toward Relays.

KEY_IDS = {"c1": 101, "c2": 102, "s1": 11, "s2": 12}


def secret(node: str) -> bytes:
    return hashlib.sha256(node.encode()).digest()


def sign_everything(bench: Bench) -> None:
    """Give each node its keys, and have unsigned packets refused."""
    for name in bench.configs:
        role = NODES[name].role
        keys = [] if role == "relay" else [_key(name)]
        if role == "server":
            keys += [_key(each, client=NODES[each].duid) for each in bench.configs if NODES[each].role == "client"]
        if role == "relay":
            keys += [_key(each, neighbor=NODES[each].id) for each in bench.configs if NODES[each].role == "server"]
        bench.configure(name, link={"require_signature": True}, signature_key=keys)


def _key(name: str, **owner: Any) -> Tables:
    return {**owner, "id": KEY_IDS[name], "secret": secret(name).hex()}


def signature(packet: bytes, lower: str, upper_address: str, key_id: int | None = None, key: bytes | None = None) -> bytes:
    """The 20 bytes for a packet between two neighbors, ``upper_address`` being the upper one's on the underlay."""
    pair = hmac.digest(key or secret(lower), b"aero-signature-1" + mapped(upper_address), "sha256")
    number = KEY_IDS[lower] if key_id is None else key_id
    return number.to_bytes(4, "big") + hmac.digest(pair, packet, "sha256")[:16]


def signed(packet: bytes, *arguments: Any, **how: Any) -> bytes:
    """A payload with AERO header and signature; arguments as those of :func:`signature`."""
    made = signature(packet, *arguments, **how)
    return bytes(AERO(S=1, nh=41 if packet[0] >> 4 == 6 else 4, signature=made)) + packet
