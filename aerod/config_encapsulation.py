# SPDX-License-Identifier: GPL-3.0-or-later
"""How packets travel over the underlay: keys of ``[link]``, and the tables of signature keys (O-4)."""

from __future__ import annotations

from dataclasses import dataclass

from aerod.state.keyring import Key
from aerod.tables import Table
from aerod.wire.carriage import NAMES

UDP_CHECKSUMS = ("auto", "always", "never")
REASSEMBLY_MIN, REASSEMBLY_MAX = 1576, 65535  # 1500 bytes and the largest ENCAPS; an IP packet
SECRET_MIN = 32
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
    """``keys`` are a Client's own, or the link's secrets on Relays and Servers; the newest first."""

    keys: tuple[Key, ...]
    required: bool = True


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


def parse_signatures(link: Table, top: Table, encapsulation: str, role: str) -> SignaturesConfig | None:
    """Take ``require_signature`` out of ``[link]`` and check the keys; None if nothing is signed."""
    name = "signature_key" if role == "client" else "signature_secret"
    required = link.truth("require_signature", False)
    keys = tuple(_key(table) for table in top.tables(name))
    if not required and not keys:
        return None
    if encapsulation != "plain":
        link.error("encapsulation", encapsulation, "only the AERO header has room for signatures")
    if not keys:
        link.error("require_signature", required, f"needs one [[{name}]] or more")
    ids = [key.id for key in keys]
    for repeated in dict.fromkeys(number for number in ids if ids.count(number) > 1):
        link.error(name, repeated, "is the id of more than one")
    return SignaturesConfig(keys, required)


def _key(table: Table) -> Key:
    secret = table.one("secret", _secret, f"hex digits for at least {SECRET_MIN} bytes", b"", "(not shown)")
    key = Key(table.integer("id", 0, _LARGEST_ID), secret)
    table.refuse_rest()
    return key


def _secret(text: str) -> bytes:
    secret = bytes.fromhex(text)
    if len(secret) < SECRET_MIN:
        raise ValueError(f"{len(secret)} bytes")
    return secret
