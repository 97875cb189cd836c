# SPDX-License-Identifier: GPL-3.0-or-later
"""rtnetlink messages (rtnetlink(7)) to and from links, addresses, routes and rules.

The layouts are pyroute2's; addresses are read and written as bytes, not as its text.  Routes, of which there
are many, are read and written by hand, which takes a tenth of the time (linux/rtnetlink.h).  What goes to
the kernel is a *body*, the bytes behind the header of :func:`request`.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from aerod.address import MAPPED_PREFIX, MAPPED_PREFIX_LENGTH, Prefix

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWRULE, DELRULE, GETRULE = 32, 33, 34

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, CREATE, APPEND = 0x100, 0x400, 0x800
ERROR, DONE = 2, 3
DUMP_INTERRUPTED = 0x10

MAIN_TABLE = 254
AERO_TABLE = 8060  # the default route toward the AERO link, never in the main table (D15)
UNICAST, UNREACHABLE = 1, 7
AEROD_PROTOCOL = 128  # of the routes, rules and addresses that aerod owns

IFF_UP, IFF_RUNNING = 0x1, 0x40
IFA_F_NODAD, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE = 0x02, 0x08, 0x20, 0x40
IFA_F_TEMPORARY, IFA_F_NOPREFIXROUTE = 0x01, 0x200
FOREVER = 0xFFFFFFFF

GROUP_LINK, GROUP_IPV4_ADDRESS, GROUP_IPV6_ADDRESS = 0x1, 0x10, 0x100
GROUP_IPV4_ROUTE, GROUP_IPV6_ROUTE = 0x40, 0x400
GROUP_IPV4_RULE, GROUP_IPV6_RULE = 0x80, 0x40000

HEADER = struct.Struct("=IHHII")
TABLE_BEYOND_A_BYTE = 252  # RT_TABLE_COMPAT
_RTMSG, _ATTRIBUTE = struct.Struct("=BBBBBBBBI"), struct.Struct("=HH")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7
_RTA_METRICS, _RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 8, 9, 15, 18
_RTAX_MTU = 2
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_UINT32 = struct.Struct("=I")
# Of struct fib_rule_hdr (linux/fib_rules.h).
_RULE_TO_TABLE, _RULE_UNREACHABLE = 1, 7
_RULE_INVERT = 0x2


class AddressMessage(ifaddrmsg):
    """An address, as bytes."""

    nla_map = (
        (1, "IFA_ADDRESS", "cdata"),
        (2, "IFA_LOCAL", "cdata"),
        (4, "IFA_BROADCAST", "cdata"),
        (6, "IFA_CACHEINFO", "cacheinfo"),
        (8, "IFA_FLAGS", "uint32"),
        (11, "IFA_PROTO", "uint8"),
    )


class RuleMessage(fibmsg):
    """A rule, with addresses as bytes."""

    nla_map = (
        (1, "FRA_DST", "cdata"),
        (2, "FRA_SRC", "cdata"),
        (3, "FRA_IIFNAME", "asciiz"),
        (6, "FRA_PRIORITY", "uint32"),
        (14, "FRA_SUPPRESS_PREFIXLEN", "uint32"),
        (15, "FRA_TABLE", "uint32"),
        (21, "FRA_PROTOCOL", "uint8"),
    )


class Link(NamedTuple):
    """An interface; ``mtu`` in bytes; ``up`` is administratively up with carrier."""

    index: int
    name: str
    up: bool
    mtu: int


class Address(NamedTuple):
    """An interface address: 16 bytes, native ``length``; lifetimes in seconds from now."""

    index: int
    ip: bytes
    length: int
    flags: int = 0
    protocol: int = AEROD_PROTOCOL
    preferred: int = FOREVER
    valid: int = FOREVER


class Route(NamedTuple):
    """A route; ``via`` and ``source`` are 16-byte addresses.

    ``mtu`` (bytes) is only written, never read.
    """

    prefix: Prefix
    oif: int | None
    via: bytes | None = None
    table: int = MAIN_TABLE
    metric: int = 0
    protocol: int = AEROD_PROTOCOL
    type: int = UNICAST
    source: bytes | None = None
    mtu: int | None = None


class Rule(NamedTuple):
    """A policy rule: packets from ``source`` (16 bytes, None for all) look into ``table``.

    Without table they are unreachable.  ``suppress`` ignores what the table has of that prefix length
    or shorter.  ``iif`` is the interface they came by, ``lo`` for those of this host; ``inverted``
    means all but those the rule describes.
    """

    family: int
    priority: int
    table: int | None
    source: bytes | None = None
    suppress: int | None = None
    iif: str | None = None
    destination: Prefix | None = None
    inverted: bool = False


def table_byte(table: int) -> int:
    """What the one-byte table field says for ``table``, whose number is in an attribute."""
    return table if table < 256 else TABLE_BEYOND_A_BYTE


def route_table_byte(data: bytes) -> int:
    """The one-byte table field of a route message, read without decoding the rest."""
    return data[HEADER.size + 4]


def family_of(ip: bytes) -> int:
    """AF_INET or AF_INET6 of a 16-byte address."""
    return socket.AF_INET if ip.startswith(MAPPED_PREFIX) else socket.AF_INET6


def _native(ip: bytes) -> bytes:
    return ip[12:] if ip.startswith(MAPPED_PREFIX) else ip


def _mapped(raw: bytes) -> bytes:
    return MAPPED_PREFIX + raw if len(raw) == 4 else raw


def split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (type, flags, sequence, whole message) for each message of a netlink datagram."""
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, flags, sequence, _pid = HEADER.unpack_from(data, offset)
        if length < HEADER.size:
            return
        yield kind, flags, sequence, data[offset:offset + length]
        offset += (length + 3) & ~3


def request(kind: int, flags: int, sequence: int, content: bytes) -> bytes:
    """A whole message to the kernel with a body."""
    return HEADER.pack(HEADER.size + len(content), kind, REQUEST | flags, sequence, 0) + content


def body(message: Any) -> bytes:
    """The body of one of pyroute2's messages."""
    message.encode()
    return bytes(message.data[HEADER.size :])


def error_code(data: bytes) -> int:
    """The errno in an NLMSG_ERROR or NLMSG_DONE message, 0 for success."""
    if len(data) < HEADER.size + 4:
        return 0
    return -struct.unpack_from("=i", data, HEADER.size)[0]


def _decoded(message_class: type, data: bytes) -> Any:
    message = message_class(data)
    message.decode()
    return message


def read_link(data: bytes) -> Link:
    """The link of an RTM_NEWLINK or RTM_DELLINK message."""
    message = _decoded(ifinfmsg, data)
    up = message["flags"] & IFF_UP and message["flags"] & IFF_RUNNING
    name, mtu = message.get_attr("IFLA_IFNAME"), message.get_attr("IFLA_MTU")
    return Link(message["index"], name, bool(up), mtu or 0)


def read_address(data: bytes) -> Address:
    """The address of an RTM_NEWADDR or RTM_DELADDR message."""
    message = _decoded(AddressMessage, data)
    raw = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    times = message.get_attr("IFA_CACHEINFO") or {"ifa_preferred": FOREVER, "ifa_valid": FOREVER}
    flags = message.get_attr("IFA_FLAGS")
    return Address(
        message["index"],
        _mapped(raw),
        message["prefixlen"],
        message["flags"] if flags is None else flags,
        message.get_attr("IFA_PROTO") or 0,
        times["ifa_preferred"],
        times["ifa_valid"],
    )


def read_route(data: bytes) -> Route:
    """The route of an RTM_NEWROUTE or RTM_DELROUTE message; of several next hops, the first.

    By hand, as there may be a hundred thousand of them: struct rtmsg, then attributes (linux/rtnetlink.h).
    """
    family, length, _src, _tos, table, protocol, _scope, kind, _flags = _RTMSG.unpack_from(data, HEADER.size)
    found = _attributes(data, HEADER.size + _RTMSG.size, len(data))
    ipv4 = family == socket.AF_INET
    oif, gateway, via = found.get(_RTA_OIF), found.get(_RTA_GATEWAY), found.get(_RTA_VIA)
    hops = found.get(_RTA_MULTIPATH)
    if hops:
        size, oif = int.from_bytes(hops[:2], sys.byteorder), hops[4:8]  # struct rtnexthop
        first = _attributes(hops, 8, size)
        gateway, via = first.get(_RTA_GATEWAY), first.get(_RTA_VIA)
    if via:
        gateway = via[2:]  # struct rtvia: the address family, then the address
    source = found.get(_RTA_PREFSRC)
    destination = found.get(_RTA_DST) or bytes(4 if ipv4 else 16)
    return Route(
        Prefix.masked(_mapped(destination), length + (MAPPED_PREFIX_LENGTH if ipv4 else 0)),
        _number(oif) if oif and kind == UNICAST else None,
        _mapped(gateway) if gateway else None,
        _number(found.get(_RTA_TABLE, b"")) or table,
        _number(found.get(_RTA_PRIORITY, b"")),
        protocol,
        kind,
        _mapped(source) if source else None,
    )


def _attributes(data: bytes, offset: int, end: int) -> dict[int, bytes]:
    """The attributes from ``offset`` to ``end``, by their number."""
    found = {}
    while offset + 4 <= end:
        size, kind = _ATTRIBUTE.unpack_from(data, offset)
        if size < 4:
            break
        found[kind] = data[offset + 4 : offset + size]
        offset += (size + 3) & ~3
    return found


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, sys.byteorder)


def read_rule(data: bytes) -> Rule:
    """The rule of an RTM_NEWRULE message."""
    message = _decoded(RuleMessage, data)
    source, destination = message.get_attr("FRA_SRC"), message.get_attr("FRA_DST")
    suppress = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    ipv4 = message["family"] == socket.AF_INET
    length = message["dst_len"] + (MAPPED_PREFIX_LENGTH if ipv4 else 0)
    to_table = message["action"] == _RULE_TO_TABLE
    return Rule(
        message["family"],
        message.get_attr("FRA_PRIORITY") or 0,
        (message.get_attr("FRA_TABLE") or message["table"]) if to_table else None,
        _mapped(source) if source else None,
        None if suppress in (None, FOREVER) else suppress,
        message.get_attr("FRA_IIFNAME"),
        Prefix.masked(_mapped(destination), length) if destination else None,
        bool(message["flags"] & _RULE_INVERT),
    )


def route_message(route: Route) -> bytes:
    """The body that stands for ``route``."""
    ipv4 = route.prefix.is_ipv4
    direct = route.oif is not None and route.type == UNICAST
    scope = _SCOPE_LINK if ipv4 and direct and route.via is None else _SCOPE_UNIVERSE
    parts = [
        _rtmsg(ipv4, route.prefix.native_length, route.table, route.protocol, scope, route.type),
        _uint32(_RTA_TABLE, route.table),
        _uint32(_RTA_PRIORITY, route.metric),
    ]
    if route.prefix.native_length:
        parts.append(_attribute(_RTA_DST, _native(route.prefix.packed)))
    if direct:
        parts.append(_uint32(_RTA_OIF, route.oif))
    if route.via is not None:
        same_family = route.via.startswith(MAPPED_PREFIX) == ipv4
        family = b"" if same_family else struct.pack("=H", family_of(route.via))
        parts.append(_attribute(_RTA_GATEWAY if same_family else _RTA_VIA, family + _native(route.via)))
    if route.source is not None:
        parts.append(_attribute(_RTA_PREFSRC, _native(route.source)))
    if route.mtu is not None:
        parts.append(_attribute(_RTA_METRICS, _uint32(_RTAX_MTU, route.mtu)))
    return b"".join(parts)


def _rtmsg(
    ipv4: bool, length: int = 0, table: int = 0, protocol: int = 0, scope: int = 0, kind: int = 0
) -> bytes:
    """The fixed part of a message about routes, struct rtmsg."""
    family = socket.AF_INET if ipv4 else socket.AF_INET6
    return _RTMSG.pack(family, length, 0, 0, table_byte(table), protocol, scope, kind, 0)


def _attribute(kind: int, value: bytes) -> bytes:
    """An attribute, padded to four bytes as the next one wants it."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _uint32(kind: int, value: int) -> bytes:
    return _attribute(kind, _UINT32.pack(value))


def routes_request(family: int, table: int, protocol: int) -> bytes:
    """The body that asks for the routes of a table, of one routing protocol unless that is 0."""
    fixed = _rtmsg(family == socket.AF_INET, table=table, protocol=protocol)
    return fixed + _uint32(_RTA_TABLE, table)


def address_message(address: Address) -> bytes:
    """The body that stands for ``address``."""
    message = AddressMessage()
    raw = _native(address.ip)
    message["family"] = family_of(address.ip)
    message["prefixlen"] = address.length
    message["index"] = address.index
    times = {"ifa_preferred": address.preferred, "ifa_valid": address.valid, "cstamp": 0, "tstamp": 0}
    broadcast = []
    if len(raw) == 4 and address.length < 31:
        last = int.from_bytes(raw, "big") | (1 << 32 - address.length) - 1
        broadcast = [("IFA_BROADCAST", last.to_bytes(4, "big"))]
    message["attrs"] = [
        *broadcast,
        ("IFA_LOCAL", raw),
        ("IFA_ADDRESS", raw),
        ("IFA_FLAGS", address.flags),
        ("IFA_PROTO", address.protocol),
        ("IFA_CACHEINFO", times),
    ]
    return body(message)


def rule_message(rule: Rule) -> bytes:
    """The body that stands for ``rule``."""
    message = RuleMessage()
    message["family"] = rule.family
    message["action"] = _RULE_UNREACHABLE if rule.table is None else _RULE_TO_TABLE
    message["table"] = table_byte(rule.table or 0)
    message["flags"] = _RULE_INVERT if rule.inverted else 0
    attributes = [("FRA_PRIORITY", rule.priority), ("FRA_PROTOCOL", AEROD_PROTOCOL)]
    if rule.table is not None:
        attributes.append(("FRA_TABLE", rule.table))
    if rule.source is not None:
        raw = _native(rule.source)
        message["src_len"] = 8 * len(raw)
        attributes.append(("FRA_SRC", raw))
    if rule.destination is not None:
        message["dst_len"] = rule.destination.native_length
        attributes.append(("FRA_DST", _native(rule.destination.packed)))
    if rule.iif is not None:
        attributes.append(("FRA_IIFNAME", rule.iif))
    if rule.suppress is not None:
        attributes.append(("FRA_SUPPRESS_PREFIXLEN", rule.suppress))
    message["attrs"] = attributes
    return body(message)
