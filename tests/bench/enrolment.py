# SPDX-License-Identifier: GPL-3.0-or-later
"""What a thousand new Clients cost the running lab, with PostgreSQL and a table of a hundred thousand.

``make bench-enrolment`` changes the lab to that back end and table, measures ``enroll.yml`` with new rows
that ask for prefixes and without any, and changes it back. Beside the time it prints what others noticed
meanwhile: routes that changed in the kernels of Relays and Servers, and whether leases, BGP sessions and
daemons are the same as before.

    ROWS=100000 NEW=1000
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.figures import verdict
from tests.lab.door import ROOT, aeroctl, in_namespace, on_node, run_playbook
from tests.lab.other_client import SERVERS, get, prefixes, release

BACKEND = "kea_postgresql"
LAB, LARGE = ROOT / "inventories/lab", ROOT / "inventories/lab_large"
TABLE = LARGE / "group_vars/aero/acp_table.csv"
GOAL = 60.0  # seconds
NODES = ("r1", "r2", *SERVERS)
# In the half of the lab's IPv6 ASP that its own table does not use.
DUIDS, ACPS = "00030001aaaa{:08x}", "2001:db8:{:x}:{:x}00::/56"
NEW_DUIDS = "00030001bbbb{:08x}"


def make_inventory(rows: int) -> list[str]:
    """The lab's inventory with a large table; the Client IDs of the lab's that are no nodes."""
    shutil.copytree(LAB, LARGE, dirs_exist_ok=True)
    with TABLE.open(newline="") as file:
        lines = [line for line in csv.reader(file) if not line[0].startswith("#")]
    with TABLE.open("a") as file:
        for n in range(rows):
            file.write(f"{DUIDS.format(n)},{ACPS.format(0x8000 + (n >> 8), n & 255)},,\n")
    return [line[0].replace(":", "") for line in lines[1:] if line[2] not in ("c1", "c2")]


def timed_enrolment() -> tuple[float, str]:
    started = time.monotonic()
    run = run_playbook("enroll", inventory=str(LARGE))
    return time.monotonic() - started, run.output


def state() -> dict[str, object]:
    """What must be the same after as before: leases, sessions since when, processes."""
    found: dict[str, object] = {}
    for node in NODES:
        units = "aerod bird" + (" kea-dhcp6-server postgresql@15-main" if node in SERVERS else "")
        found[f"processes on {node}"] = on_node(node, f"systemctl show --property=MainPID {units}")
        found[f"sessions of {node}"] = on_node(node, "birdc show protocols | tail -n +2")
    for server in SERVERS:
        leases = aeroctl(server, "leases")
        found[f"leases of {server}"] = {lease["client_id"]: lease["prefixes"] for lease in leases}
    return found


@contextmanager
def routes_watched() -> Iterator[list[str]]:
    """What ip(8) prints meanwhile of routes over the AERO interface; it is there when the watch ends."""
    command = ("ip", "-o", "monitor", "route")
    watching = [
        subprocess.Popen(in_namespace(node, *command), stdout=subprocess.PIPE, text=True) for node in NODES
    ]
    lines: list[str] = []
    try:
        yield lines
    finally:
        for process in watching:
            process.terminate()
            lines += [line for line in process.communicate()[0].splitlines() if "dev aero0" in line]


def row(words: str, figure: object, more: str = "") -> None:
    print(f"{words:<44}{figure:>10}  {more}".rstrip(), flush=True)


def measure(rows: int, new: int) -> None:
    others = make_inventory(rows)
    started = time.monotonic()
    run_playbook("site", inventory=str(LARGE))
    row(f"site.yml, to {BACKEND} and this table", f"{time.monotonic() - started:.1f} s")
    held = [(duid, server, get(duid, server)) for duid in others for server in SERVERS]
    unchanged, _output = timed_enrolment()
    with TABLE.open("a") as file:
        file.writelines(f"{NEW_DUIDS.format(n)},auto/56,,\n" for n in range(new))
    before = state()
    with routes_watched() as changes:
        wall, output = timed_enrolment()
    after = state()
    (proof,) = (line for line in output.splitlines() if "all have" in line)
    row(f"enroll.yml, {new:,} new in {rows:,}", f"{wall:.1f} s", verdict(f"goal {GOAL:.0f} s", wall <= GOAL))
    row("enroll.yml, nothing new", f"{unchanged:.1f} s")
    row("routes that changed meanwhile", len(changes))
    row("others with leases", len(held), "and those of c1, c2")
    row("not the same as before", ", ".join(key for key in before if before[key] != after[key]) or "nothing")
    newcomer = NEW_DUIDS.format(new - 1)
    granted = {server: get(newcomer, server) for server in SERVERS}
    assert len({tuple(prefixes(answer)) for answer in granted.values()}) == 1, granted
    print(proof.strip())
    for duid, server, answer in [*held, *((newcomer, server, answer) for server, answer in granted.items())]:
        release(answer, duid, *prefixes(answer), server=server)


def main() -> None:
    os.environ["AERO_LAB_BACKEND"] = BACKEND
    try:
        measure(int(os.environ.get("ROWS") or 100_000), int(os.environ.get("NEW") or 1000))
    finally:
        del os.environ["AERO_LAB_BACKEND"]
        shutil.rmtree(LARGE)
        run_playbook("site")


if __name__ == "__main__":
    main()
