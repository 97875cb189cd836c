# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea as it stands on a Server: its table of reservations as a hash, and what its control socket tells."""

from __future__ import annotations

import json
import re
import socket

from ansible_collections.aero.link.plugins.module_utils._acp_table import Row, Table
from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix

_INCLUDE = re.compile(r'<\?include "([^"]+)"\?>')
_COMMENT = re.compile(r"^\s*(#|//).*$", re.MULTILINE)


class KeaError(Exception):
    """Kea is not there, refused a command, or has a configuration that cannot be read."""


def ask_kea(path, command, timeout=5.0):
    """The arguments and the text that Kea answers ``command`` with, over its control socket ``path``."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as kea:
            kea.settimeout(timeout)
            kea.connect(path)
            kea.sendall(json.dumps({"command": command}).encode())
            reply = json.loads(b"".join(iter(lambda: kea.recv(65536), b"")))
    except (OSError, ValueError) as error:
        raise KeaError(f"{path}: {command}: {error}") from error
    if reply["result"] != 0:
        raise KeaError(f"{path}: {command}: {reply.get('text', '')}")
    return reply.get("arguments", {}), reply.get("text", "")


def read_config(path):
    """The configuration in the file ``path`` and the files it includes, as data."""

    def text_of(name):
        with open(name, encoding="utf-8") as file:
            text = _COMMENT.sub("", file.read())
        return _INCLUDE.sub(lambda match: text_of(match.group(1)), text)

    try:
        return json.loads(text_of(path))["Dhcp6"]
    except (OSError, ValueError, KeyError) as error:
        raise KeaError(f"{path}: {error}") from error


def reservation_table(config):
    """All reservations of a Kea configuration, wherever Kea allows them, as the link's ACP table."""
    reservations = list(config.get("reservations", []))
    for subnet in config.get("subnet6", []):
        reservations += subnet.get("reservations", [])
    return Table([_row(reservation) for reservation in reservations if "duid" in reservation], [])


def _row(reservation):
    client_id = reservation["duid"].replace(":", "").lower()
    return Row(client_id, tuple(_delegated(text) for text in reservation.get("prefixes", [])), 0)


def _delegated(text):
    """The ACP of an IA_PD prefix, in which IPv4 a.b.c.d/n is written ::ffff:a.b.c.d/96+n."""
    address, _slash, length = text.partition("/")
    return Prefix(int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big"), int(length))
