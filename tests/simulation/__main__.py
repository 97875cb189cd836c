# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.simulation``: one big link, or links of several sizes one after the other.

Each size runs in a process of its own, so that its memory is its own too.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from random import SystemRandom

from tests.simulation.scenario import Report, run

# What a Client with its part of everything else may take, generously, in KiB.
_KIBIBYTES_PER_CLIENT = 60


def _fits(clients: int) -> bool:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return clients * _KIBIBYTES_PER_CLIENT * 1024 < free * 0.8


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _one(clients: int, servers: int, relays: int, seed: int, **how: int | None) -> Report:
    with ProcessPoolExecutor(1) as alone:
        report = alone.submit(run, clients, servers, relays, seed, progress=_say, **how).result()
    for line in report.lines():
        print(line, flush=True)
    return report


def _curve_row(report: Report) -> str:
    cells = [f"{report.clients:8d} {report.servers:8d}"]
    for how in report.per_move:
        cells.append(f"{sum(report.per_move[how].values()):9.1f} {report.bytes_per_move[how]:9.0f}")
    cells.append(f"{sum(report.quiet.values()):8.3f}")
    cells += [f"{report.state[key]:8.0f}" for key in ("KiB of a Server", "of a Relay", "of a Client")]
    cells.append(f"{report.seconds:6.0f}")
    return " ".join(cells)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[20_000], help="one size or several")
    parser.add_argument("--servers", type=int, help="default: one for each 100 Clients")
    parser.add_argument("--relays", type=int, default=4)
    parser.add_argument("--storm", type=int, help="moves over a bad underlay; default: a tenth of the Clients")
    parser.add_argument("--checked", type=int, help="Clients tried at the end; default: all")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    reports = []
    for clients in options.clients:
        if not _fits(clients):
            print(f"{clients} Clients do not fit into the memory that is free")
            continue
        servers = options.servers or max(2, clients // 100)
        storm = clients // 10 if options.storm is None else options.storm
        size = (clients, servers, options.relays, options.seed)
        reports.append(_one(*size, storm=storm, checked=options.checked))
    if len(reports) > 1:
        kinds = " ".join(f"{how:>9s} {'bytes':>9s}" for how in reports[0].per_move)
        state = f"{'KiB: s':>8s} {'r':>8s} {'c':>8s}"
        print(f"{'Clients':>8s} {'Servers':>8s} {kinds} {'quiet/s':>8s} {state} {'s':>6s}")
        print(*map(_curve_row, reports), sep="\n")
    return any(report.wrong for report in reports)


if __name__ == "__main__":
    sys.exit(main())
