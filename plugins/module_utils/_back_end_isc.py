# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ISC dhcpd with one host a Client, in a file that its configuration includes."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_digest import Difference, canonical
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons
from ansible_collections.aero.link.plugins.module_utils._back_end import (
    BackEndError,
    is_active,
    split,
    systemctl,
)
from ansible_collections.aero.link.plugins.module_utils._back_end_file import FileBackEnd
from ansible_collections.aero.link.plugins.module_utils._prefixes import acp_of, delegated

CONFIG = "/etc/dhcp/aero-dhcpd6.conf"
UNIT = "aero-dhcpd.service"

_HEADER = "# Written by aero.link: changes made here are overwritten.\n"
_HOST = re.compile(
    r"host \S+ \{ host-identifier option dhcp6\.client-id (?P<duid>[0-9a-f:]+);"
    r"(?P<prefixes>( fixed-prefix6 \S+;)+) \}"
)


class Isc(FileBackEnd):
    """Hosts in /etc/dhcp/aero-hosts.conf, one a line."""

    path = "/etc/dhcp/aero-hosts.conf"
    group = "root"
    server = "dhcpd"
    config = CONFIG
    checker = ("dhcpd", "-6", "-t", "-q", "-cf")
    needs = (CONFIG,)

    def text(self, lines: list[str]) -> str:
        """Host declarations, named by their Client IDs."""
        return _HEADER + "".join(map(_host, lines))

    def parse(self, text: str) -> t.Iterator[str]:
        """The hosts that are there; ValueError for anything else."""
        for line in text.splitlines():
            host = _HOST.fullmatch(line)
            if host:
                prefixes = re.findall(r"fixed-prefix6 (\S+);", host["prefixes"])
                yield canonical(host["duid"].replace(":", ""), map(acp_of, prefixes))
            elif line and not line.startswith("#"):
                raise ValueError(line)

    def stage(self, lines: list[str], difference: Difference) -> list[str]:
        """Refuse what dhcpd cannot do, or write the new file beside the old one and check it."""
        for line in lines:
            client_id, acps = split(line)
            lengths = [delegated(acp).rpartition("/")[2] for acp in acps]
            if len(set(lengths)) < len(lengths):
                raise BackEndError(
                    f"Client {client_id} has {' '.join(acps)}: ISC dhcpd tells the ACPs of a Client apart by "
                    "their lengths; allowed: ACPs of different lengths, or another aero_dhcp_backend"
                )
        return super().stage(lines, difference)

    def complaint(self, output: str, errors: str) -> str:
        """What dhcpd writes."""
        return (errors or output).strip()

    def load(self) -> None:
        """Restart dhcpd, which cannot read anything again."""
        if is_active(UNIT):
            systemctl("restart", UNIT)

    def free(self, prefixes: list[str]) -> list[str]:
        """Nothing: dhcpd keeps no leases of fixed prefixes."""
        return []


def _host(line: str) -> str:
    client_id, acps = split(line)
    prefixes = "".join(f" fixed-prefix6 {delegated(acp)};" for acp in acps)
    return f"host {client_id} {{ host-identifier option dhcp6.client-id {colons(client_id)};{prefixes} }}\n"
