# SPDX-License-Identifier: GPL-3.0-or-later
"""An ACP table of any size, brought onto a Server by the collection's own code: ``BACK_END PLACE LINES``.

Run as a process of its own, as Ansible runs it, so that its memory can be told.  ``PLACE`` is the directory of
the table and of the DHCPv6 server's configuration, for PostgreSQL that of its socket.
"""

from __future__ import annotations

import ipaddress
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.aero.link.plugins.module_utils import _acp_install as install
from ansible_collections.aero.link.plugins.module_utils import _back_end_postgresql as postgresql
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical, table_hash
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEnd
from ansible_collections.aero.link.plugins.module_utils._back_end_isc import Isc

from tests.bench.figures import most_memory
from tests.chaos import plan
from tests.kea import OwnKea

ISC_TABLE, ISC_CONFIG = "hosts.conf", "dhcpd6.conf"
_FIRST = int(ipaddress.IPv6Address("2001:db8::"))


def acp(number: int) -> ipaddress.IPv6Network:
    """The one ACP of a Client."""
    return ipaddress.IPv6Network((_FIRST + (number << 64), 64))


def line(number: int, of: int | None = None) -> str:
    """The canonical line of a Client, that perhaps has the ACP ``of`` another number."""
    return canonical(plan.duid(number), [acp(of or number)])


def isc(place: str) -> Isc:
    """Hosts in a file, checked as on a Server, but for the unit that would be restarted."""
    made = Isc()
    made.path, made.config = f"{place}/{ISC_TABLE}", f"{place}/{ISC_CONFIG}"
    made.needs = (made.config,)
    return made


def kea_postgresql(place: str) -> postgresql.Postgresql:
    """The database of the cluster whose socket is in ``place``."""
    return postgresql.Postgresql([*postgresql.PSQL, "-h", place])


BACK_ENDS: dict[str, Callable[[str], BackEnd]] = {"kea": OwnKea, "kea_postgresql": kea_postgresql, "isc": isc}


def main(name: str, place: str, path: str) -> None:
    """Install; print how many seconds it took to stage and to switch, and the bytes it took."""
    back_end = BACK_ENDS[name](place)
    lines = Path(path).read_text().splitlines(keepends=True)
    wanted, record = table_hash(lines), f"{path}.record"
    started = time.monotonic()
    found = install.summary(back_end, wanted, record)
    looked = time.monotonic()
    buckets, bits = install.differing(lines, found["buckets"])
    rows = install.in_buckets(lines, buckets, bits)
    compared = time.monotonic()
    install.stage(back_end, wanted, rows, buckets, bits, record=record)
    staged = time.monotonic()
    for problem in install.switch(back_end, wanted, record):
        print(problem, file=sys.stderr)
    switch = time.monotonic() - staged
    stage = looked - started + staged - compared
    print(json.dumps({"stage": stage, "switch": switch, "memory": most_memory("self")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
