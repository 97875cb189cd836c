# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCPv6 server of a Server: which back end it is, the table it really has, whether it serves by it."""

from __future__ import annotations

import os
import time

from ansible_collections.aero.link.plugins.module_utils import _back_end_isc as isc
from ansible_collections.aero.link.plugins.module_utils import _back_end_kea as kea
from ansible_collections.aero.link.plugins.module_utils._acp_digest import table_hash
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEndError, run
from ansible_collections.aero.link.plugins.module_utils._back_end_postgresql import Postgresql
from ansible_collections.aero.link.plugins.module_utils._node_facts_linux import text_of

KEA_UNIT, DHCPD_UNIT = "kea-dhcp6-server", "aero-dhcpd"


def delegation_facts(units, problems):
    """The facts, ``None`` on a host without a DHCPv6 server; ``problems`` gets what could not be asked.

    Of two that are installed, from before and after a change of back end, the one that runs counts.
    """
    runs_dhcpd = units.get(DHCPD_UNIT, {}).get("state") == "active"
    if KEA_UNIT in units and not runs_dhcpd:
        return _kea_facts(problems)
    return _isc_facts(units[DHCPD_UNIT]["pid"], problems) if DHCPD_UNIT in units else None


def _kea_facts(problems):
    back_end, files, name = kea.Kea(), [kea.CONFIG, kea.Kea.path], "kea"
    if '"hosts-database"' in text_of(kea.CONFIG):
        back_end, files, name = Postgresql(), [kea.CONFIG], "kea_postgresql"
    facts = _table(name, back_end, problems)
    try:
        facts["version"] = "Kea " + kea.ask_kea(kea.SOCKET, "version-get")[1]
        status = kea.ask_kea(kea.SOCKET, "status-get")[0]
        # A reload that failed leaves Kea running without sockets.
        facts["listening"] = status.get("sockets", {}).get("status") == "ready"
        # Kea tells the time since it last read its configuration in whole seconds.
        facts["table_loaded"] = _newest(files) <= time.time() - status["reload"] + 1
    except (kea.KeaError, OSError) as error:
        problems.append(str(error))
    return facts


def _isc_facts(pid, problems):
    back_end = isc.Isc()
    facts = _table("isc", back_end, problems)
    facts["version"] = run(["dhcpd", "--version"])[2].strip().replace("isc-dhcpd-", "dhcpd ")
    if pid:
        sockets = text_of("/proc/net/udp6").splitlines()
        facts["listening"] = any(line.split()[1].endswith(":0223") for line in sockets)
        facts["table_loaded"] = _newest([isc.CONFIG, back_end.path]) <= _started(pid) + 1
    return facts


def _table(name, back_end, problems):
    facts = {"backend": name, "version": None, "listening": False, "table_loaded": False}
    try:
        lines = back_end.lines()
    except (BackEndError, OSError) as error:
        problems.append(str(error))
        return {**facts, "reservations": 0, "table_hash": ""}
    return {**facts, "reservations": len(lines), "table_hash": table_hash(lines)}


def _newest(paths):
    return max(os.stat(path).st_mtime if os.path.exists(path) else float("inf") for path in paths)


def _started(pid):
    """When a process started, in seconds of the wall clock (proc(5), field 22 of stat); 0 if it has gone."""
    fields = text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    uptime = text_of("/proc/uptime").split()
    if not fields or not uptime:
        return 0.0
    return time.time() - float(uptime[0]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
