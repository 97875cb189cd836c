# SPDX-License-Identifier: GPL-3.0-or-later
"""``PYTHONPATH=collections python -m tests.chaos``: maltreat a link, as root; see ``--help``."""

from __future__ import annotations

import argparse
import signal
import sys
from random import SystemRandom

from tests.chaos.scenario import Failed, Scenario


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Maltreat a link; needs root.")
    parser.add_argument("--events", type=int, default=100, help="how many (default %(default)s)")
    parser.add_argument("--clients", type=int, default=200, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, help="of everything random; default: another each time")
    parser.add_argument("--backend", choices=("kea", "kea_postgresql"), default="kea", help="default %(default)s")
    options = parser.parse_args()
    # Whoever ends it leaves no namespaces and mounts behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = SystemRandom().randrange(1 << 16) if options.seed is None else options.seed
    try:
        Scenario(options.clients, seed, options.backend).run(options.events)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
