# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.fuzz``: a million packets that nobody should send, or as many as are asked for."""

from __future__ import annotations

import argparse
import sys
from random import SystemRandom

from tests.fuzz.fuzzer import Broken, fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        report = fuzz(options.packets, options.seed)
    except Broken as broken:
        print(broken, file=sys.stderr)
        return 1
    print(*report.lines(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
