# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ACP table costs the controller, by its size and form.

Each figure is CPU time or memory of a fresh process, and stands beside a baseline taken in the same run, since
machines and their load differ: ``csv.reader`` reading all rows of the same table, and one sort of them. Memory
is what a process holds at most beyond what it held before.

* *read*: read, check and compile the table, as the first play of a run does,
* *again*: what each further task of the run needs to ask it (milliseconds for the whole table),
* *ask*: one question, such as who has an address (microseconds),
* *enrol*: allocate prefixes for a thousand new Clients, check and write the table and its ledger.

Run it by ``make bench-table``, or with sizes: ``make bench-table SIZES="10000 100000"``.
"""

from __future__ import annotations

import csv
import datetime
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.aero.link.plugins.module_utils import _acp_enrolment
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import compiled
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons
from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_prefix

from tests.bench.figures import most_memory

SIZES = (10_000, 100_000, 1_000_000)
ASPS = [parse_prefix("2001:db8::/32"), parse_prefix("10.0.0.0/8")]
NEW = 1000
QUESTIONS = 1000


def write_tables(folder: Path, rows: int) -> None:
    """The same table in each form: an IPv6 ACP for each Client, an IPv4 one for every second, not sorted."""
    chance = random.Random(rows)
    clients = []
    for n in range(rows):
        client_id = colons(f"00030001{chance.getrandbits(48):012x}")
        acps = [f"2001:db8:{n >> 8:x}:{(n & 255) << 8:x}::/56"]
        clients.append((client_id, acps + [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32"] * (n % 2), f"client{n}"))
    with open(folder / "table.csv", "w") as file:
        file.write("client_id,acps,name,comment\n")
        file.writelines(f"{client_id},{' '.join(acps)},{name},a comment\n" for client_id, acps, name in clients)
    with open(folder / "new.csv", "w") as file:
        file.write((folder / "table.csv").read_text())
        file.writelines(f"{colons(f'00030001ffff{n:012x}')},auto/56,new{n},\n" for n in range(NEW))
    with open(folder / "table.json", "w") as file:
        lines = (json.dumps({"client_id": client_id, "acps": acps, "name": name}) for client_id, acps, name in clients)
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
    with open(folder / "table.yml", "w") as file:
        file.writelines(f"- client_id: '{client_id}'\n  acps: [{', '.join(acps)}]\n  name: {name}\n"
                        for client_id, acps, name in clients)


def baseline(folder: Path) -> None:
    gc.disable()  # as the reader of tables does
    with open(folder / "table.csv", newline="") as file:
        rows = list(csv.reader(file))
    rows.sort()


def read(folder: Path, name: str) -> None:
    _table, errors = compiled(str(folder / name), ASPS, str(folder))
    assert not errors, errors[:3]


def ask(folder: Path) -> None:
    table, _errors = compiled(str(folder / "table.csv"), ASPS, str(folder))
    step = max(1, table.rows // QUESTIONS)
    for n in range(0, table.rows, step):
        assert table.owners(parse_prefix(f"2001:db8:{n >> 8:x}:{(n & 255) << 8:x}::/64"))


def enrol(folder: Path) -> None:
    path = str(folder / "new.csv")
    with _acp_enrolment.alone(path):
        found = _acp_enrolment.allocate(path, ASPS, 30, datetime.date(2026, 11, 22))
        assert not found.errors, found.errors[:3]
        _acp_enrolment.write(path, found)
    assert len(found.given) == NEW


WORK: dict[str, Callable[[Path], None]] = {
    "baseline": baseline,
    "csv": lambda folder: read(folder, "table.csv"),
    "json": lambda folder: read(folder, "table.json"),
    "yaml": lambda folder: read(folder, "table.yml"),
    "again": lambda folder: read(folder, "table.csv"),
    "ask": ask,
    "enrol": enrol,
}


def measure(work: str, folder: Path) -> dict[str, float]:
    """CPU seconds and bytes of one kind of work in this process."""
    before = most_memory("self")
    started = time.process_time()
    WORK[work](folder)
    return {"seconds": time.process_time() - started, "bytes": most_memory("self") - before}


def figures(rows: int) -> dict[str, dict[str, float]]:
    """The measures of all kinds of work on a table of so many rows, each in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        write_tables(Path(name), rows)
        found = {}
        for work in WORK:
            command = [sys.executable, "-m", "tests.bench.acp_table", "--measure", work, name]
            found[work] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return found


def report(rows: int, found: dict[str, dict[str, float]]) -> list[str]:
    base = found["baseline"]
    lines = []
    for work in ("baseline", "csv", "json", "yaml", "enrol"):
        figure = found[work]
        lines.append(
            f"{rows:>9,} {work:<9}{figure['seconds']:>8.2f} s {figure['seconds'] / rows * 1e6:>7.1f} us/row "
            f"({figure['seconds'] / base['seconds']:>5.1f}x)  {figure['bytes'] / 1e6:>6.0f} MB "
            f"{figure['bytes'] / rows:>6.0f} B/row ({figure['bytes'] / max(base['bytes'], 1):>4.1f}x)")
    questions = len(range(0, rows, max(1, rows // QUESTIONS)))
    one = max(0.0, found["ask"]["seconds"] - found["again"]["seconds"]) / questions
    lines.append(f"{rows:>9,} again    {found['again']['seconds'] * 1e3:>8.2f} ms   ask {one * 1e6:.0f} us")
    return lines


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--measure"]:
        print(json.dumps(measure(arguments[1], Path(arguments[2]))))
        return
    print("     rows             CPU time    of a row (x baseline)  memory  of a row (x baseline)")
    for rows in map(int, arguments or SIZES):
        print("\n".join(report(rows, figures(rows))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
