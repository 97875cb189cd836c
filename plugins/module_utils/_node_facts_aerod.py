# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""aerod as seen through its control socket: one JSON object per line each way."""

from __future__ import annotations

import json
import socket


class AerodError(Exception):
    """aerod is not there, or refused a command."""


class Aerod:
    """A conversation with the aerod behind the control socket ``path``."""

    def __init__(self, path, timeout=5.0):
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise AerodError(f"{path}: {error}") from error
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def close(self):
        self._lines.close()
        self._socket.close()

    def ask(self, command, **arguments):
        """The result of ``command``."""
        request = json.dumps(dict(arguments, command=command))
        try:
            self._socket.sendall(request.encode() + b"\n")
            reply = json.loads(self._lines.readline() or "{}")
        except (OSError, ValueError) as error:
            raise AerodError(f"{self._path}: {command}: {error}") from error
        if not reply.get("ok"):
            error = reply.get("error", "connection closed")
            raise AerodError(f"{self._path}: {command}: {error}")
        return reply["result"]


def drop_counters(counters):
    """The counters of dropped packets by reason, those that ever counted."""
    return {
        name[len("drop_") :]: count
        for name, count in sorted(counters.items())
        if name.startswith("drop_") and count
    }


def leased_prefixes(leases):
    """The prefixes a Client holds now, from all its Servers together."""
    return sorted({entry["prefix"] for lease in leases for entry in lease["prefixes"]})
