# SPDX-License-Identifier: GPL-3.0-or-later
"""How benches show what they measured, and what they do meanwhile."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path


def p99(ordered: Sequence[float]) -> float:
    """Of fewer than a hundred values in their order, that is the last."""
    return ordered[-(-99 * len(ordered) // 100) - 1]


def most_memory(process: int | str) -> int:
    """The most bytes a process has held, by its number or "self".

    What getrusage tells begins with those of the parent.
    """
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def verdict(words: str, met: bool) -> str:
    """A goal, and whether it was met."""
    return f"{words}: {'met' if met else 'MISSED'}"


def progress(text: str) -> None:
    """Show what is done now in one line of the terminal, nothing elsewhere; "" clears it."""
    if sys.stderr.isatty():
        print(f"\r{text:<78}\r", end="", file=sys.stderr, flush=True)
