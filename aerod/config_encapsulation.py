# SPDX-License-Identifier: GPL-3.0-or-later
"""How packets travel over the underlay: keys of ``[link]``, and the tables ``[[signature_key]]``."""

from __future__ import annotations

from dataclasses import dataclass

from aerod.address import link_local
from aerod.state.keyring import Key
from aerod.tables import Table
from aerod.wire.carriage import NAMES

UDP_CHECKSUMS = ("auto", "always", "never")
REASSEMBLY_MIN, REASSEMBLY_MAX = 1576, 65535  # 1500 bytes and the largest ENCAPS; an IP packet
SECRET_MIN = 16
_LARGEST_ID = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class EncapsulationConfig:
    """One for the whole link.

    ``reassembly_size`` is the largest packet put together from tunnel fragments, in bytes;
    ``probe`` finds the paths on which packets up to 1500 bytes need no fragments.  With ``multicast``
    the underlay has multicast: link-scope multicast goes to a group there, not to a Server.
    """

    encapsulation: str = "plain"
    udp_checksum: str = "auto"
    header_checksum: bool = False
    probe: bool = True
    reassembly_size: int = 2048
    multicast: bool = False


@dataclass(frozen=True, slots=True)
class SignaturesConfig:
    """``own`` is the key toward upstream neighbors, ``peers`` those of the nodes below."""

    required: bool = True
    own: Key | None = None
    peers: tuple[Key, ...] = ()


def parse_encapsulation(link: Table) -> EncapsulationConfig:
    """Take the keys out of ``[link]`` that say how packets travel."""
    default = EncapsulationConfig()
    config = EncapsulationConfig(
        encapsulation=link.choice("encapsulation", NAMES, default.encapsulation),
        udp_checksum=link.choice("udp_checksum", UDP_CHECKSUMS, default.udp_checksum),
        header_checksum=link.truth("header_checksum", default.header_checksum),
        probe=link.truth("probe", default.probe),
        reassembly_size=link.integer(
            "reassembly_size", REASSEMBLY_MIN, REASSEMBLY_MAX, default.reassembly_size
        ),
        multicast=link.truth("underlay_multicast", default.multicast),
    )
    if config.multicast and config.encapsulation == "raw":
        link.error("underlay_multicast", True, "raw has no UDP port on which Servers could listen to a group")
    if config.header_checksum and config.encapsulation != "plain":
        link.error("header_checksum", True, f"{config.encapsulation} has no AERO header to put it in")
    return config


def parse_signatures(
    link: Table, keys: list[Table], encapsulation: str, role: str
) -> SignaturesConfig | None:
    """Take ``require_signature`` out of ``[link]`` and check the keys; None if nothing is signed."""
    required = link.truth("require_signature", False)
    if not required and not keys:
        return None
    if encapsulation != "plain":
        link.error("encapsulation", encapsulation, "only the AERO header has room for signatures")
    parsed = [_key(table, role) for table in keys]
    own = [key for key in parsed if not key.owner]
    peers = tuple(key for key in parsed if key.owner)
    if role == "client" and len(own) != 1 or len(own) > 1:
        link.error("require_signature", required, f"needs one own [[signature_key]], there are {len(own)}")
    for name in ("id", "owner"):
        values = [getattr(key, name) for key in parsed if key.owner or name == "id"]
        for value in dict.fromkeys(value for value in values if values.count(value) > 1):
            shown = value if isinstance(value, int) else value.hex()
            link.error("signature_key", shown, f"is the {name} of more than one key")
    return SignaturesConfig(required, own[0] if own else None, peers)


def _key(table: Table, role: str) -> Key:
    """A Client's key at a Server, a Server's at a Relay, or the node's own where it names nobody."""
    owner = b""
    if role == "relay":
        number = table.integer("neighbor", 1, _LARGEST_ID)
        owner = link_local(number) if number else b"?"
    elif role == "server" and "client" in table:
        owner = table.one("client", _duid, "a Client's DUID in hex digits", b"?")
    secret = table.one("secret", _secret, f"hex digits for at least {SECRET_MIN} bytes", b"", "(not shown)")
    key = Key(table.integer("id", 0, _LARGEST_ID), secret, owner)
    table.refuse_rest()
    return key


def _duid(text: str) -> bytes:
    duid = bytes.fromhex(text.replace(":", ""))
    if not duid:
        raise ValueError("empty")
    return duid


def _secret(text: str) -> bytes:
    secret = bytes.fromhex(text)
    if len(secret) < SECRET_MIN:
        raise ValueError(f"{len(secret)} bytes")
    return secret
