# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 (RFC 8415) and AERO's vendor options in both layouts; options are pairs of code and bytes."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field

from tests.conformance.addresses import mapped

SOLICIT, ADVERTISE, REQUEST, RENEW, REBIND, REPLY, RELEASE = 1, 2, 3, 5, 6, 7, 8
RECONFIGURE, RELAY_FORWARD, RELAY_REPLY = 10, 12, 13
CLIENT_ID, SERVER_ID, ORO, ELAPSED, RELAYED, AUTH, STATUS, RAPID_COMMIT = 1, 2, 6, 8, 9, 11, 13, 14
VENDOR, INTERFACE_ID, IA_PD, IA_PREFIX, RSOO = 17, 18, 25, 26, 66
NO_BINDING, NO_PREFIX = 3, 6
ENTERPRISE = 45282
ALLAREQ, ALLAREP, ASPADV = 0, 1, 2
LAYOUTS = ("rfc8415", "draft52")

Option = tuple[int, bytes]


def pack_options(options: list[Option]) -> bytes:
    return b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)


def parse_options(data: bytes) -> list[Option]:
    at, found = 0, []
    while at < len(data):
        code, length = struct.unpack_from("!HH", data, at)
        assert at + 4 + length <= len(data), f"option {code} is cut"
        found.append((code, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


@dataclass
class Dhcp:
    """A DHCPv6 message; a relay message has ``hops``, ``link`` and ``peer`` in place of ``xid``."""

    type: int
    xid: int = 0x123456
    options: list[Option] = field(default_factory=list)
    hops: int = 0
    link: str = "::"
    peer: str = "::"

    def get(self, code: int) -> bytes | None:
        """The first option of a code."""
        return next((data for number, data in self.options if number == code), None)

    def all(self, code: int) -> list[bytes]:
        return [data for number, data in self.options if number == code]

    def pack(self) -> bytes:
        if self.type in (RELAY_FORWARD, RELAY_REPLY):
            addresses = ipaddress.IPv6Address(self.link).packed + ipaddress.IPv6Address(self.peer).packed
            fixed = bytes([self.type, self.hops]) + addresses
        else:
            fixed = struct.pack("!I", self.type << 24 | self.xid)
        return fixed + pack_options(self.options)

    @classmethod
    def parse(cls, data: bytes) -> Dhcp:
        if data[0] in (RELAY_FORWARD, RELAY_REPLY):
            link, peer = (str(ipaddress.IPv6Address(data[at : at + 16])) for at in (2, 18))
            return cls(data[0], 0, parse_options(data[34:]), data[1], link, peer)
        return cls(data[0], int.from_bytes(data[1:4], "big"), parse_options(data[4:]))

    # What AERO says with it

    def prefixes(self) -> list[tuple[int, str, int, int]]:
        """(IAID, prefix, preferred, valid) of each IA_PD's prefixes; IPv4 ones as such."""
        return [
            (struct.unpack("!I", ia[:4])[0], _prefix_text(data), *struct.unpack("!II", data[:8]))
            for ia in self.all(IA_PD)
            for code, data in parse_options(ia[12:])
            if code == IA_PREFIX
        ]

    def iaids(self) -> list[int]:
        return [struct.unpack("!I", ia[:4])[0] for ia in self.all(IA_PD)]

    def aero(self) -> dict[int, bytes]:
        """AERO's vendor options by their Type, in whichever layout: the bytes from Type on."""
        found = {}
        for data in self.all(VENDOR):
            if struct.unpack("!I", data[:4])[0] == ENTERPRISE:
                found.update(_vendor_values(data[4:]))
        return found


def _vendor_values(data: bytes) -> dict[int, bytes]:
    # A TLV's code has a first byte of 0 and repeats the Type as the first byte of its value.
    try:
        options = parse_options(data)
    except (AssertionError, struct.error):
        options = []
    if options and all(value and value[0] == code for code, value in options):
        return dict(options)
    return {data[0]: data}


def _prefix_text(data: bytes) -> str:
    length, address = data[8], ipaddress.IPv6Address(data[9:25])
    if address.ipv4_mapped and length >= 96:
        return f"{address.ipv4_mapped}/{length - 96}"
    return f"{address}/{length}"


def ia_pd(iaid: int, *prefixes: str, preferred=3600, valid=7200, t1=1000, t2=2000, status: int | None = None) -> Option:
    """An IA_PD; IPv4 prefixes in their mapped form (O-25). A prefix may have host bits set."""
    options = []
    for text in prefixes:
        address, _slash, length = text.partition("/")
        bits = int(length) + (0 if ":" in address else 96)
        options.append((IA_PREFIX, struct.pack("!IIB", preferred, valid, bits) + mapped(address)))
    if status is not None:
        options.append((STATUS, struct.pack("!H", status)))
    return IA_PD, struct.pack("!III", iaid, t1, t2) + pack_options(options)


def allareq(link_id: int = 0, preference: int = 255) -> bytes:
    return bytes([ALLAREQ, 0, link_id, preference])


def allarep(address: str, port: int, link_id: int = 0, preference: int = 255) -> bytes:
    return struct.pack("!BBBBH", ALLAREP, 0, link_id, preference, port) + mapped(address)


def aspadv(*asps: str) -> bytes:
    """The first record has Type and 2 reserved bytes, later ones 3 reserved bytes."""
    records = []
    for text in asps:
        network = ipaddress.ip_network(text)
        packed = network.network_address.packed
        identifier = packed[:8] if len(packed) == 16 else b"\0\0\xff\xff" + packed
        records.append(bytes([network.prefixlen]) + identifier)
    return bytes([ASPADV, 0, 0]) + b"\0\0\0".join(records)


def vendor(values: list[bytes], layout: str = "rfc8415") -> list[Option]:
    """Option 17: one with a TLV each, or the draft's flat one each."""
    enterprise = struct.pack("!I", ENTERPRISE)
    if layout == "draft52":
        return [(VENDOR, enterprise + value) for value in values]
    return [(VENDOR, enterprise + pack_options([(value[0], value) for value in values]))]
