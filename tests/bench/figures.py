# SPDX-License-Identifier: GPL-3.0-or-later
"""How benches show what they measured, and what they do meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def p99(ordered: Sequence[float]) -> float:
    """Of fewer than a hundred values in their order, that is the last."""
    return ordered[-(-99 * len(ordered) // 100) - 1]


def verdict(words: str, met: bool) -> str:
    """A goal, and whether it was met."""
    return f"{words}: {'met' if met else 'MISSED'}"


def progress(text: str) -> None:
    """Show what is done now in one line of the terminal, nothing elsewhere; "" clears it."""
    if sys.stderr.isatty():
        print(f"\r{text:<78}\r", end="", file=sys.stderr, flush=True)
