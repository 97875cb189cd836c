# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD 2 as seen through its control socket: sessions, and single routes.

The protocol is the one birdc speaks (BIRD, doc/reply_codes): every reply line starts with a
four-digit code followed by ``-`` (more to come) or a space (last line), or with one space that
repeats the code before.  ``restrict`` leaves the connection nothing but ``show`` commands.
"""

from __future__ import annotations

import re
import socket

NETWORK_NOT_FOUND = 8001
FIRST_ERROR = 8000

_SESSION = re.compile(r"^(\S+)\s+BGP\s+\S+\s+\S+\s+(\d\S*(?: \d\S*)?)")
_ROUTES = re.compile(r"^(\d+) imported,(?: \d+ filtered,)? (\d+) exported")
_ROUTE = re.compile(r"(\S+) \[(\S+) [^\]]*\](?: (\*))? \(\d+[^)]*\)(?: \[AS([\d ]*\d)?.?\])?")
_VIA = re.compile(r"^\s+via (\S+) on (\S+)")


class BirdError(Exception):
    """BIRD is not there, or refused a command."""


class Bird:
    """A read-only conversation with the BIRD behind the control socket ``path``."""

    def __init__(self, path, timeout=5.0):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
            self._lines = self._socket.makefile("r", encoding="utf-8", errors="replace")
            self.version = re.sub(r"^BIRD (\S+) ready\.\s*$", r"\1", self._reply())
            self.ask("restrict")
        except (OSError, BirdError) as error:
            self._socket.close()
            raise BirdError(f"{path}: {error}") from error

    def close(self):
        self._lines.close()
        self._socket.close()

    def ask(self, command):
        """The reply to ``command`` as birdc would print it, empty for a network BIRD does not have."""
        try:
            self._socket.sendall(command.encode() + b"\n")
            return self._reply()
        except OSError as error:
            raise BirdError(f"{command}: {error}") from error

    def _reply(self):
        lines = []
        for line in self._lines:
            code, mark, text = line[:4], line[4:5], line[5:]
            if not code.isdigit():
                lines.append(line[1:])
                continue
            if int(code) == NETWORK_NOT_FOUND:
                return ""
            if int(code) >= FIRST_ERROR:
                raise BirdError(text.strip())
            lines.append(text)
            if mark == " ":
                return "".join(lines)
        raise BirdError("connection closed")


def parse_sessions(text):
    """The BGP sessions in the output of ``show protocols all``.

    Returns a list of ``{name, neighbor, asn, state, since, imported, exported, error}``; ``imported``
    and ``exported`` add up the channels of a session.
    """
    sessions = []
    session = None
    for line in text.splitlines():
        if line and not line[0].isspace():
            head = _SESSION.match(line)
            session = None
            if head:
                session = _new_session(head.group(1), head.group(2))
                sessions.append(session)
        elif session is not None:
            _add_detail(session, *(part.strip() for part in line.partition(":")[::2]))
    return sessions


def _new_session(name, since):
    return {
        "name": name,
        "neighbor": "",
        "asn": 0,
        "state": "",
        "since": since,
        "imported": 0,
        "exported": 0,
        "error": "",
    }


def _add_detail(session, key, value):
    if key == "BGP state":
        session["state"] = value
    elif key == "Neighbor address":
        session["neighbor"] = value.partition("%")[0]
    elif key == "Neighbor AS":
        session["asn"] = int(value)
    elif key == "Last error":
        session["error"] = value
    elif key == "Routes":
        routes = _ROUTES.match(value)
        if routes:
            session["imported"] += int(routes.group(1))
            session["exported"] += int(routes.group(2))


def parse_routes(text):
    """The routes in the output of ``show route P``: ``[{session, type, best, as_path, via, interface}]``."""
    routes = []
    for line in text.splitlines():
        route = _ROUTE.search(line)
        via = _VIA.match(line)
        if route:
            kind, session, best, path = route.groups()
            routes.append(
                {
                    "session": session,
                    "type": kind,
                    "best": best is not None,
                    "as_path": [int(asn) for asn in (path or "").split()],
                    "via": "",
                    "interface": "",
                }
            )
        elif via and routes:
            routes[-1]["via"], routes[-1]["interface"] = via.groups()
    return routes
