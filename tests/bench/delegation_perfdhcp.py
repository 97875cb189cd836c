# SPDX-License-Identifier: GPL-3.0-or-later
"""What perfdhcp, Kea's own load generator, makes of a DHCPv6 server: over a cable, with no relay agent.

Its delegations take four messages, for Solicits with Rapid Commit it knows no Reply (Kea 2.2).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.bench.delegation_link import PERFDHCP, BenchLink
from tests.chaos import plan
from tests.namespaces import wait_for

_PERIOD = 3  # seconds
_RATES = (250, 500, 1000, 2000, 4000, 8000, 16000)  # delegations/s
_MOST_LOST = 0.01


class Figures(NamedTuple):
    """Delegations a second with hardly any lost, and the server's CPU seconds of one."""

    rate: float
    cpu: float


def perfdhcp(link: BenchLink, size: int) -> Figures | None:
    """Ask faster and faster, until more is lost than is meant to be; None if that is so at once."""
    server = link.plain
    server.start_dhcp()
    try:
        wait_for(lambda: _run(link, 10, 10)[1] > 0, 200, "the DHCPv6 server answers perfdhcp")
        best = None
        for rate in _RATES:
            before = server.cpu("dhcp")
            sent, received = _run(link, rate, size)
            figures = Figures(received / _PERIOD, (server.cpu("dhcp") - before) / max(1, received))
            if received < (1 - _MOST_LOST) * sent or sent < (1 - 10 * _MOST_LOST) * rate * _PERIOD:
                break
            best = figures
        return best
    finally:
        server.stop("dhcp")


def _run(link: BenchLink, rate: int, clients: int) -> tuple[int, int]:
    """Delegations that were begun, and those that were made."""
    duid = plan.duid(1)
    command = (
        "perfdhcp", "-6", "-l", "eth0", "-e", "prefix-only",
        # It numbers its Clients in the MAC address that ends their DUIDs.
        "-b", f"duid={duid}", "-b", f"mac={bytes.fromhex(duid)[-6:].hex(':')}", "-R", str(clients),
        "-r", str(rate), "-p", str(_PERIOD), "-W", "500000", "all",
    )  # fmt: skip
    # Its exit status tells of drops, too.
    output = link.spaces.run(PERFDHCP, *command, check=False)
    solicits = re.search(r"SOLICIT-ADVERTISE.*?^sent packets: (\d+)", output, re.DOTALL | re.MULTILINE)
    replies = re.search(r"REQUEST-REPLY.*?^received packets: (\d+)", output, re.DOTALL | re.MULTILINE)
    if solicits is None or replies is None:
        raise RuntimeError(f"perfdhcp: {output}")
    return int(solicits[1]), int(replies[1])
