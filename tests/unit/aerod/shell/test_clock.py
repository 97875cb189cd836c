# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock that tests of long times let run faster."""

from __future__ import annotations

import time

import pytest

from aerod.shell import clock
from aerod.shell.loop import Loop


@pytest.mark.parametrize("scale,most", [(1, 0.5), (1000, 0.3)])
def test_timers_follow_the_clock(monkeypatch, scale, most):
    """A timer fires when the daemon's clock says so, however fast that runs."""
    monkeypatch.setattr(clock, "SCALE", scale)
    loop = Loop()
    timer = loop.timer(loop.stop)
    timer.set(loop.now() + 0.1 * scale)
    started, before = time.monotonic(), loop.now()
    loop.run()
    assert 0.1 <= time.monotonic() - started < most
    assert loop.now() - before >= 0.1 * scale
