# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kea with one reservation a Client, in a file that its configuration includes; and Kea's control socket."""

from __future__ import annotations

import json
import os
import re
import socket
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons
from ansible_collections.aero.link.plugins.module_utils._back_end import (
    BackEndError,
    is_active,
    split,
    systemctl,
)
from ansible_collections.aero.link.plugins.module_utils._back_end_file import FileBackEnd
from ansible_collections.aero.link.plugins.module_utils._prefixes import acp_of, delegated

CONFIG = "/etc/kea/kea-dhcp6.conf"
SOCKET = "/run/kea/kea6-ctrl-socket"
UNIT = "kea-dhcp6-server.service"
CHECKER = "/usr/lib/aero/kea-check"

_COMMENT = re.compile(r"^\s*(#|//).*$", re.MULTILINE)
_HEADER = "// Written by aero.link: changes made here are overwritten.\n"
_NOT_FOUND = 3  # result of a command for a lease that there is not (Kea, command codes)


class KeaError(BackEndError):
    """Kea is not there, refused a command, or has a configuration that cannot be read."""


class Kea(FileBackEnd):
    """Reservations in /etc/kea/aero-reservations.json, one a line."""

    path = "/etc/kea/aero-reservations.json"
    group = "_kea"
    server = "Kea"
    config = CONFIG
    socket = SOCKET
    checker = ("sh", CHECKER)
    needs = (CHECKER, CONFIG)

    def text(self, lines: list[str]) -> str:
        """A JSON list, for the configuration to include."""
        return f"{_HEADER}[\n{','.join(map(_reservation, lines))}]\n"

    def parse(self, text: str) -> t.Iterator[str]:
        """The reservations that are there, by whomever they were written."""
        for entry in json.loads(_COMMENT.sub("", text)):
            try:
                client_id = entry["duid"].replace(":", "").lower()
                yield canonical(client_id, map(acp_of, entry["prefixes"]))
            except (KeyError, TypeError, AttributeError):
                # Somebody's own. Its line is nobody's, so the table counts as another one and is replaced.
                yield canonical("", ["foreign"])

    def complaint(self, output: str, errors: str) -> str:
        """What Kea says is wrong, without what it says at every start."""
        lines = (output + errors).splitlines()
        wrong = [line for line in lines if " INFO " not in line and line.strip()]
        return "\n".join(wrong or [(output + errors).strip()])

    def load(self) -> None:
        """Have Kea read its configuration again; what it had is kept if it refuses."""
        if is_active(UNIT):
            systemctl("reload", UNIT)

    def free(self, prefixes: list[str]) -> list[str]:
        """Delete the leases, or Kea would give these prefixes to nobody else before they are over."""
        return delete_leases(prefixes, self.socket)


def _reservation(line: str) -> str:
    client_id, acps = split(line)
    prefixes = ", ".join(f'"{delegated(acp)}"' for acp in acps)
    return f'{{ "duid": "{colons(client_id)}", "prefixes": [{prefixes}] }}\n'


# ---- the control socket


def ask_kea(path: str, command: str, timeout: float = 5.0) -> tuple[dict, str]:
    """The arguments and the text that Kea answers ``command`` with, over its control socket ``path``."""
    result, reply = exchange(path, {"command": command}, timeout)
    if result != 0:
        raise KeaError(f"{path}: {command}: {reply.get('text', '')}")
    return reply.get("arguments", {}), reply.get("text", "")


def delete_leases(prefixes: t.Iterable[str], path: str = SOCKET) -> list[str]:
    """Delete the leases that there are of these ACPs; returns one line for each that could not be.

    Nothing is done where Kea has no socket, so does not run.
    """
    if not os.path.exists(path):
        return []
    wrong = []
    for acp in prefixes:
        arguments = {"type": "IA_PD", "ip-address": delegated(acp).partition("/")[0]}
        try:
            result, reply = exchange(path, {"command": "lease6-del", "arguments": arguments}, 5.0)
        except KeaError as error:
            return [*wrong, str(error)]
        if result not in (0, _NOT_FOUND):
            wrong.append(f"{acp}: lease6-del: {reply.get('text', '')}")
    return wrong


def exchange(path: str, request: dict, timeout: float) -> tuple[int, dict]:
    """The result and the whole of Kea's answer, be it a refusal; KeaError if there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as kea:
            kea.settimeout(timeout)
            kea.connect(path)
            kea.sendall(json.dumps(request).encode())
            reply = json.loads(b"".join(iter(lambda: kea.recv(65536), b"")))
        return reply["result"], reply
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeaError(f"{path}: {request['command']}: {error}") from error
