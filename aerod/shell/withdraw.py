# SPDX-License-Identifier: GPL-3.0-or-later
"""``aerod --withdraw``: take back all that aerod and aero-eun put into the kernel.

For a node that leaves the link.  The AERO interface itself stays until it is removed.
"""

from __future__ import annotations

import socket

from aerod.shell.client_kernel import RULES
from aerod.shell.rtnl import Rtnl
from aerod.shell.rtnl_messages import AERO_TABLE, AEROD_PROTOCOL, MAIN_TABLE


def withdraw() -> None:
    """Remove all rules, routes and addresses that carry aerod's mark; OSError if the kernel refuses."""
    rtnl = Rtnl()
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in rtnl.rules(family):
                if rule.priority in RULES:
                    rtnl.remove_rule(rule)
            for table in (MAIN_TABLE, AERO_TABLE):
                for route in rtnl.routes(family, table, AEROD_PROTOCOL):
                    rtnl.remove_route(route)
        for address in rtnl.addresses():
            if address.protocol == AEROD_PROTOCOL:
                rtnl.remove_address(address)
    finally:
        rtnl.close()
