# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS queries for addresses and names, and their answers as bytes (RFC 1035 section 4, RFC 6891)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from aerod.address import MAPPED_PREFIX

TYPE_A, TYPE_CNAME, TYPE_PTR, TYPE_AAAA = 1, 5, 12, 28
RCODE_SUCCESS, RCODE_NAME_ERROR = 0, 3
_CLASS_INTERNET = 1
_TYPE_OPT = 41
_UDP_SIZE = 1232
_RECURSION_DESIRED, _RESPONSE, _TRUNCATED = 0x0100, 0x8000, 0x0200
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_LONGEST_CHAIN = 16


class DNSError(ValueError):
    """A name that cannot be asked for, or a message that is no answer to us."""


class Answer(NamedTuple):
    """``data`` is in the order of the message: addresses of 16 bytes, or names; ``ttl`` in seconds."""

    identifier: int
    rcode: int
    question: tuple[str, int]
    data: tuple[bytes, ...] | tuple[str, ...]
    ttl: int


def query(identifier: int, name: str, kind: int) -> bytes:
    """A question for the records of type ``kind`` of ``name``; DNSError for a name that is none."""
    options = b"\0" + struct.pack("!HHIH", _TYPE_OPT, _UDP_SIZE, 0, 0)
    header = _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 1)
    return header + _packed_name(name) + struct.pack("!HH", kind, _CLASS_INTERNET) + options


def _packed_name(name: str) -> bytes:
    labels = name.rstrip(".").split(".")
    try:
        packed = [label.encode("ascii") for label in labels]
    except UnicodeEncodeError:
        raise DNSError(f"{name!r} is not in ASCII") from None
    if not all(0 < len(label) < 64 for label in packed) or sum(len(label) + 1 for label in packed) > 254:
        raise DNSError(f"{name!r} is not a domain name")
    return b"".join(bytes([len(label)]) + label for label in packed) + b"\0"


def parse(message: bytes) -> Answer:
    """The answer in ``message``, aliases followed; DNSError if it is malformed.

    A truncated answer gives the addresses it has: some Servers are as good as all.
    """
    try:
        identifier, flags, questions, answers, _authorities, _others = _HEADER.unpack_from(message)
        if not flags & _RESPONSE or questions != 1:
            raise DNSError("not a response with one question")
        name, offset = _name(message, _HEADER.size)
        kind, _class = struct.unpack_from("!HH", message, offset)
        records = _records(message, offset + 4, answers, bool(flags & _TRUNCATED))
    except (struct.error, IndexError) as error:
        raise DNSError("the message ends too early") from error
    data, ttl = _resolve(name, kind, records)
    return Answer(identifier, flags & 0xF, (name, kind), data, ttl)


def _name(message: bytes, offset: int) -> tuple[str, int]:
    """(the name at ``offset`` in lower case, the offset behind it); RFC 1035 section 4.1.4."""
    labels = []
    behind = None
    jumps = 0
    while length := message[offset]:
        if length & 0xC0 == 0xC0:
            target = (length & 0x3F) << 8 | message[offset + 1]
            behind = offset + 2 if behind is None else behind
            jumps += 1
            if target >= offset or jumps > 64:
                raise DNSError("a compressed name that does not point back")
            offset = target
        elif length & 0xC0:
            raise DNSError("an unknown kind of label")
        else:
            label = message[offset + 1:offset + 1 + length]
            if len(label) < length:
                raise DNSError("a label beyond the end")
            labels.append(label.decode("latin-1").lower())
            offset += 1 + length
        if sum(len(label) + 1 for label in labels) > 255:
            raise DNSError("a name that is too long")
    return ".".join(labels), offset + 1 if behind is None else behind


def _records(message: bytes, offset: int, count: int, truncated: bool) -> list[tuple]:
    """(name, type, TTL, address or target) of the answer section's addresses, pointers and aliases."""
    records = []
    for _record in range(count):
        if truncated and offset >= len(message):
            break
        name, offset = _name(message, offset)
        kind, record_class, ttl, length = _RECORD.unpack_from(message, offset)
        offset += _RECORD.size
        data = message[offset:offset + length]
        if len(data) < length:
            raise DNSError("a record beyond the end")
        if record_class == _CLASS_INTERNET:
            if kind == TYPE_A and length == 4:
                records.append((name, kind, ttl, MAPPED_PREFIX + data))
            elif kind == TYPE_AAAA and length == 16:
                records.append((name, kind, ttl, data))
            elif kind in (TYPE_CNAME, TYPE_PTR):
                records.append((name, kind, ttl, _name(message, offset)[0]))
        offset += length
    return records


def _resolve(name: str, kind: int, records: list[tuple]) -> tuple[tuple, int]:
    """(data of ``name``, the smallest TTL on the way), following aliases."""
    lowest = 0xFFFFFFFF
    for _alias in range(_LONGEST_CHAIN):
        found = [record for record in records if record[:2] == (name, kind)]
        if found:
            ttl = min(lowest, *(record[2] for record in found))
            return tuple(record[3] for record in found), ttl
        alias = next((record for record in records if record[:2] == (name, TYPE_CNAME)), None)
        if alias is None:
            break
        name = alias[3]
        lowest = min(lowest, alias[2])
    return (), 0
