# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS stub resolver of a page, for nodes that have no DNS library: A, AAAA and PTR look-ups.

Messages are those of RFC 1035, section 4, with an EDNS(0) OPT record (RFC 6891) that lets a big
answer come in one datagram; a truncated one is asked for again over TCP.
"""

from __future__ import annotations

import random
import socket
import struct
import time

TYPES = {"A": 1, "AAAA": 28, "PTR": 12}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_RECURSION_DESIRED = 0x0100
_TRUNCATED = 0x0200
_OPT = b"\0" + struct.pack("!HHIH", 41, 4096, 0, 0)
_TRIES = 3


class NoAnswer(Exception):
    """No name server gave a usable answer."""


def system_name_servers(path="/etc/resolv.conf"):
    """The addresses of the ``nameserver`` lines of resolv.conf(5)."""
    try:
        with open(path, encoding="utf-8") as file:
            words = [line.split() for line in file]
    except OSError:
        return []
    return [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]


def resolve(name, kind, servers, timeout=2.0, port=53):
    """Look up ``name`` at the first of ``servers`` that answers.

    Returns ``(rcode, values)``: the response code as text, and the sorted record data as text.
    """
    identifier = random.getrandbits(16)
    query = encode_query(identifier, name, kind)
    problems = []
    for server in servers:
        try:
            return decode_answer(_exchange((server, port), query, identifier, timeout), kind)
        except (OSError, ValueError) as error:
            problems.append(f"{server}: {error}")
    raise NoAnswer("; ".join(problems) or "no name server is configured")


def encode_query(identifier, name, kind):
    """The query for ``name``, an absolute name with or without its final dot."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    header = _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 1)
    return header + question + struct.pack("!HH", TYPES[kind], 1) + _OPT


def decode_answer(message, kind):
    """The response code of ``message`` and the data of its records of type ``kind``.

    Raises :class:`ValueError` when the message is malformed.
    """
    try:
        _identifier, flags, questions, answers = _HEADER.unpack_from(message)[:4]
        position = _HEADER.size
        for _question in range(questions):
            position = _name_at(message, position)[1] + 4
        values = []
        for _answer in range(answers):
            position = _name_at(message, position)[1]
            type_, _class, _ttl, length = _RECORD.unpack_from(message, position)
            position += _RECORD.size
            if type_ == TYPES[kind]:
                values.append(_data_text(message, position, length, kind))
            position += length
    except (struct.error, IndexError) as error:
        raise ValueError(f"malformed DNS message: {error}") from error
    rcode = flags & 0xF
    return RCODES.get(rcode, str(rcode)), sorted(values)


def _data_text(message, position, length, kind):
    if kind == "PTR":
        return _name_at(message, position)[0]
    family = socket.AF_INET if kind == "A" else socket.AF_INET6
    return socket.inet_ntop(family, message[position : position + length])


def _name_at(message, position):
    """The name at ``position`` and the position behind it (compression: RFC 1035, section 4.1.4)."""
    labels = []
    behind = None
    # A pointer may only point backward, so this ends.
    limit = len(message)
    while True:
        length = message[position]
        if length == 0:
            return ".".join(labels) + ".", behind if behind is not None else position + 1
        if length & 0xC0 == 0xC0:
            behind = behind if behind is not None else position + 2
            position = struct.unpack_from("!H", message, position)[0] & 0x3FFF
            if position >= limit:
                raise ValueError("malformed DNS message: a pointer that does not point back")
            limit = position
            continue
        labels.append(message[position + 1 : position + 1 + length].decode("ascii", "backslashreplace"))
        position += 1 + length


def _exchange(server, query, identifier, timeout):
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.connect(server)
        for _attempt in range(_TRIES):
            udp.send(query)
            message = _receive(udp, identifier, timeout / _TRIES)
            if message:
                break
        else:
            raise OSError(f"no answer within {timeout:g} s")
    flags = _HEADER.unpack_from(message)[1]
    return _exchange_tcp(server, family, query, timeout) if flags & _TRUNCATED else message


def _receive(udp, identifier, timeout):
    """The answer with our identifier, ``None`` when none has come after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        udp.settimeout(left)
        try:
            message = udp.recv(65535)
        except TimeoutError:
            return None
        if len(message) >= _HEADER.size and message[:2] == struct.pack("!H", identifier):
            return message


def _exchange_tcp(server, family, query, timeout):
    with socket.socket(family, socket.SOCK_STREAM) as tcp:
        tcp.settimeout(timeout)
        tcp.connect(server)
        tcp.sendall(struct.pack("!H", len(query)) + query)
        with tcp.makefile("rb") as stream:
            (length,) = struct.unpack("!H", stream.read(2))
            return stream.read(length)
