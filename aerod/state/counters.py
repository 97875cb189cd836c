# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters: what was moved, and every drop under its reason."""

from __future__ import annotations

from collections import Counter


class Counters(Counter[str]):
    """Event counts by name; drops are named ``drop_<reason>``."""

    def drop(self, reason: str) -> None:
        """Count a packet or message that goes no further."""
        self["drop_" + reason] += 1
