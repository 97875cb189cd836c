# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of all codecs."""

from __future__ import annotations


class MalformedPacket(ValueError):
    """Received bytes break the rules of their format; ``offset`` is where, in bytes."""

    def __init__(self, what: str, offset: int | None = None) -> None:
        super().__init__(what if offset is None else f"{what} at offset {offset}")
        self.offset = offset
