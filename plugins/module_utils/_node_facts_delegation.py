# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCPv6 server of a Server: which back end it is, the table it really has, whether it serves by it."""

from __future__ import annotations

import os
import time

from ansible_collections.aero.link.plugins.module_utils import _back_end_kea as kea
from ansible_collections.aero.link.plugins.module_utils._acp_digest import table_hash
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEndError

KEA_UNIT = "kea-dhcp6-server"


def delegation_facts(units, problems, kea_socket=kea.SOCKET):
    """The facts, ``None`` on a host without a DHCPv6 server; what could not be asked goes to ``problems``."""
    if KEA_UNIT in units:
        return _kea_facts(problems, kea_socket)
    return None


def _kea_facts(problems, kea_socket):
    facts = {"backend": "kea", "version": None, "listening": False, "table_loaded": False}
    back_end = kea.Kea()
    facts.update(_table(back_end, problems))
    try:
        facts["version"] = "Kea " + kea.ask_kea(kea_socket, "version-get")[1]
        status = kea.ask_kea(kea_socket, "status-get")[0]
        # A reload that failed leaves Kea running without sockets.
        facts["listening"] = status.get("sockets", {}).get("status") == "ready"
        # Kea tells the time since it last read its configuration in whole seconds.
        read = time.time() - status["reload"] + 1
        facts["table_loaded"] = all(os.stat(path).st_mtime <= read for path in (kea.CONFIG, back_end.path))
    except (kea.KeaError, OSError) as error:
        problems.append(str(error))
    return facts


def _table(back_end, problems):
    try:
        lines = back_end.lines()
    except (BackEndError, OSError) as error:
        problems.append(str(error))
        return {"reservations": 0, "table_hash": ""}
    return {"reservations": len(lines), "table_hash": table_hash(lines)}
