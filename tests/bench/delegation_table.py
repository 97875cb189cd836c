# SPDX-License-Identifier: GPL-3.0-or-later
"""An ACP table of any size, brought onto a Server by the collection's own code: ``BACK_END PLACE LINES``.

Run as a process of its own, as Ansible runs it, so that its memory can be told.  ``PLACE`` is the directory of
the table and of the DHCPv6 server's configuration, for PostgreSQL that of its socket.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if (ROOT / "collections").is_dir():
    sys.path.insert(0, str(ROOT / "collections"))
sys.path.insert(0, str(ROOT))

from ansible_collections.aero.link.plugins.module_utils import (  # noqa: E402 - found by the line above
    _acp_install as install,
)
from ansible_collections.aero.link.plugins.module_utils import _back_end_postgresql as postgresql  # noqa: E402
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical, table_hash  # noqa: E402
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEnd  # noqa: E402
from ansible_collections.aero.link.plugins.module_utils._back_end_isc import Isc  # noqa: E402

from tests.chaos import plan  # noqa: E402
from tests.kea import OwnKea  # noqa: E402

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


def most_memory(pid: int | str) -> int:
    """The most bytes a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


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
