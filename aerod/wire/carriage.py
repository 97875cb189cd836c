# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways inner packets travel over the underlay, behind one interface; a link has one of them.

What is received is decoded by the link's own carriage only, never guessed: the first bytes of GUE
and of the AERO header overlap (O-3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aerod.address import AERO_PORT, LinkLayerAddress
from aerod.wire import encapsulation as aero
from aerod.wire import gue, raw_ip
from aerod.wire.encapsulation import Encapsulated, FragmentField
from aerod.wire.ip import IPV4_HEADER_LENGTH, IPV6_HEADER_LENGTH, UDP
from aerod.wire.udp import UDP_HEADER_LENGTH

NAMES = ("plain", "gue", "raw")
# The UDP port of each, 0 for none.
PORTS = {"plain": AERO_PORT, "gue": gue.GUE_PORT, "raw": 0}

Payload = bytes | memoryview
Ends = tuple[LinkLayerAddress, LinkLayerAddress]


@dataclass(frozen=True, slots=True)
class Carriage:
    """One way to carry inner packets.

    ``overhead`` is the bytes between outer IP header and inner packet, those of fragment fields
    included, and ``overhead_of_whole`` where a packet has none.  With ``bare`` a whole packet is
    its own payload, and any payload whose first nibble is 4 or more is one.

    * ``decode(payload, source, destination, protocol)`` and ``quoted(payload, protocol)``, for the
      start of a payload in an ICMP error, return what is carried or raise MalformedPacket;
    * ``encode(body, next_header, fragment, signature, ends)`` returns the payload, ``ends`` being
      source and destination of the outer headers;
    * ``protocol(next_header, fragment)`` is the outer IP protocol that goes with it.
    """

    name: str
    overhead: int
    overhead_of_whole: int
    bare: bool
    decode: Callable[[Payload, LinkLayerAddress, LinkLayerAddress, int], Encapsulated]
    quoted: Callable[[Payload, int], Encapsulated]
    encode: Callable[[Payload, int, FragmentField | None, bytes, Ends], bytes]
    protocol: Callable[[int, FragmentField | None], int]

    def encaps(self, remote: LinkLayerAddress) -> int:
        """Return ENCAPS toward ``remote``, in bytes (draft section 3.13)."""
        return self.overhead + _ip_header(remote)

    def encaps_of_whole(self, remote: LinkLayerAddress) -> int:
        """Return the bytes that really are around a packet that is no fragment."""
        return self.overhead_of_whole + _ip_header(remote)


def _ip_header(remote: LinkLayerAddress) -> int:
    return IPV4_HEADER_LENGTH if remote.is_ipv4 else IPV6_HEADER_LENGTH


def make_carriage(name: str = "plain", header_checksum: bool = False, signed: bool = False) -> Carriage:
    """Return the carriage called ``name``; only the AERO header has room for checksum and signature."""
    return _MAKERS[name](header_checksum, signed)


def _plain(header_checksum: bool, signed: bool) -> Carriage:
    # What the link is configured for counts in each packet (O-11).
    extras = aero.CHECKSUM_LENGTH * header_checksum + aero.SIGNATURE_LENGTH * signed
    return Carriage(
        "plain",
        UDP_HEADER_LENGTH + aero.HEADER_LENGTH + extras,
        UDP_HEADER_LENGTH + (aero.SHORTEST_HEADER + extras if extras else 0),
        not extras,
        lambda payload, source, destination, _protocol: aero.decode(payload, source, destination),
        lambda payload, _protocol: aero.quoted(payload),
        lambda body, next_header, fragment, signature, ends: aero.encode(
            body, next_header, fragment, signature, ends if header_checksum else None
        ),
        _udp,
    )


def _gue(_header_checksum: bool, _signed: bool) -> Carriage:
    return Carriage(
        "gue",
        UDP_HEADER_LENGTH + gue.HEADER_LENGTH,
        UDP_HEADER_LENGTH + gue.SHORTEST_HEADER,
        False,
        lambda payload, _source, _destination, _protocol: gue.decode(payload),
        lambda payload, _protocol: gue.quoted(payload),
        lambda body, next_header, fragment, _signature, _ends: gue.encode(body, next_header, fragment),
        _udp,
    )


def _raw(_header_checksum: bool, _signed: bool) -> Carriage:
    return Carriage(
        "raw",
        raw_ip.HEADER_LENGTH,
        0,
        False,
        lambda payload, _source, _destination, protocol: raw_ip.decode(payload, protocol),
        raw_ip.quoted,
        lambda body, next_header, fragment, _signature, _ends: raw_ip.encode(body, next_header, fragment),
        raw_ip.protocol,
    )


def _udp(_next_header: int, _fragment: FragmentField | None) -> int:
    return UDP


_MAKERS = {"plain": _plain, "gue": _gue, "raw": _raw}
