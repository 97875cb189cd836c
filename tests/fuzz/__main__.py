# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.fuzz``: a million packets that nobody should send, in all formats, and events in any order."""

from __future__ import annotations

import argparse
import sys
from random import SystemRandom

from tests.fuzz.captured import FORMATS
from tests.fuzz.fuzzer import Broken, Report, fuzz
from tests.fuzz.inputs import fuzz_inputs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        for how in FORMATS:
            _show(fuzz(options.packets // len(FORMATS), options.seed, how))
        _show(fuzz_inputs(options.events, options.seed))
    except Broken as broken:
        print(broken, file=sys.stderr)
        return 1
    return 0


def _show(report: Report) -> None:
    print(*report.lines(), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
