# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables ``[encapsulation]`` and ``[signatures]``: how packets travel over the underlay."""

from __future__ import annotations

from dataclasses import dataclass

from aerod.address import link_local
from aerod.state.keyring import Key
from aerod.tables import Table
from aerod.wire.carriage import NAMES

UDP_CHECKSUMS = ("auto", "always", "never")
REASSEMBLY_MIN, REASSEMBLY_MAX = 1576, 65535  # 1500 bytes and the largest ENCAPS; an IP packet
SECRET_MIN = 16


@dataclass(frozen=True, slots=True)
class EncapsulationConfig:
    """``[encapsulation]``: one for the whole link.

    ``reassembly_size`` is the largest packet put together from tunnel fragments, in bytes;
    ``probing`` finds the paths on which packets up to 1500 bytes need no fragments.
    """

    kind: str = "plain"
    udp_checksum: str = "auto"
    header_checksum: bool = False
    probing: bool = True
    reassembly_size: int = 2048
    underlay_multicast: bool = False


@dataclass(frozen=True, slots=True)
class SignaturesConfig:
    """``[signatures]``: ``own`` is the key toward upstream neighbors, ``peers`` those of the nodes below."""

    required: bool = True
    own: Key | None = None
    peers: tuple[Key, ...] = ()


def parse_encapsulation(table: Table) -> EncapsulationConfig:
    """Check ``[encapsulation]``."""
    default = EncapsulationConfig()
    config = EncapsulationConfig(
        kind=table.choice("kind", NAMES, default.kind),
        udp_checksum=table.choice("udp_checksum", UDP_CHECKSUMS, default.udp_checksum),
        header_checksum=table.truth("header_checksum", default.header_checksum),
        probing=table.truth("probing", default.probing),
        reassembly_size=table.integer(
            "reassembly_size", REASSEMBLY_MIN, REASSEMBLY_MAX, default.reassembly_size
        ),
        underlay_multicast=table.truth("underlay_multicast", default.underlay_multicast),
    )
    if config.header_checksum and config.kind != "plain":
        table.error("header_checksum", True, f"{config.kind} has no AERO header: use plain or leave it out")
    table.refuse_rest()
    return config


def parse_signatures(table: Table, kind: str, role: str) -> SignaturesConfig:
    """Check ``[signatures]`` of a node of ``role`` on a link with encapsulation ``kind``."""
    if kind != "plain":
        table.error("kind", kind, "only the AERO header has room for signatures: use plain")
    required = table.truth("required", True)
    own = None
    if role == "relay":
        for key in ("id", "secret"):
            table.refuse(key, "nobody is above a Relay")
    else:
        own = Key(_id(table), _secret(table), b"")
    peers = tuple(_peer(entry, role) for entry in table.tables("peer"))
    if role == "client" and peers:
        table.error("peer", len(peers), "nobody is below a Client")
    ids = [key.id for key in (own, *peers) if key is not None]
    for number in dict.fromkeys(number for number in ids if ids.count(number) > 1):
        table.error("id", number, "is used for more than one key")
    table.refuse_rest()
    return SignaturesConfig(required, own, peers)


def _peer(table: Table, role: str) -> Key:
    """A Client's key at a Server, a Server's at a Relay."""
    if role == "relay":
        number = table.integer("neighbor", 1, 0xFFFFFFFF)
        owner = link_local(number) if number else b""
    else:
        owner = table.one("client", _duid, "a Client's DUID in hex digits", b"")
    key = Key(_id(table), _secret(table), owner)
    table.refuse_rest()
    return key


def _duid(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _id(table: Table) -> int:
    return table.integer("id", 0, 0xFFFFFFFF)


def _secret(table: Table) -> bytes:
    return table.one("secret", _key, f"hex digits for at least {SECRET_MIN} bytes", b"", "(not shown)")


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) < SECRET_MIN:
        raise ValueError(f"{len(key)} bytes")
    return key
