# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's clock.

Tests of long times let it run faster by the environment variable ``AEROD_TIME_SCALE``, the same at
all nodes of a link.  It is no setting of a node: nodes with different clocks disagree about timers.
"""

from __future__ import annotations

import os
import time

SCALE = float(os.environ.get("AEROD_TIME_SCALE", "1"))


def now() -> float:
    """Monotonic seconds of this clock."""
    return time.monotonic() * SCALE


def real(seconds: float) -> float:
    """What ``seconds`` of this clock are in real ones."""
    return seconds / SCALE


def from_real(seconds: float) -> float:
    """What real ``seconds`` are in those of this clock."""
    return seconds * SCALE


def to_epoch() -> float:
    """What to add to this clock to get seconds since 1970; scaled, the same ones at all nodes."""
    return time.time() - time.monotonic()
