# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths that are known to carry the largest packet that is always admitted (draft section 3.13)."""

from __future__ import annotations

from aerod.address import LinkLayerAddress
from aerod.state.underlays import Path

# Packets up to this size are always admitted, and no path MTU below it is ever reported.
ALWAYS_ADMITTED = 1500

# A path as a probe tests it: the own address and port, and the neighbor's.
Ends = tuple[LinkLayerAddress, LinkLayerAddress]


class PathMtu:
    """What probes proved, and which paths are worth a probe.

    ``used`` are the paths that had a packet between the two sizes since it was cleared; ``fresh``
    those of them nobody watches yet.  With ``probing`` off all such packets are fragmented.
    """

    def __init__(self, probing: bool = True) -> None:
        self._probing = probing
        self._watched: set[Ends] = set()
        self._proven: set[Ends] = set()
        self.used: set[Ends] = set()
        self.fresh: dict[Ends, Path] = {}

    def carries(self, path: Path) -> bool:
        """Whether 1500 bytes pass whole; notes that it would matter."""
        if path.mtu < ALWAYS_ADMITTED + path.encaps or not self._probing:
            return False
        ends = (path.local, path.remote)
        self.used.add(ends)
        if ends not in self._watched:
            self.fresh[ends] = path
        return ends in self._proven

    def watch(self, ends: Ends) -> None:
        """Note that a path is being probed."""
        self._watched.add(ends)
        self.fresh.pop(ends, None)

    def prove(self, ends: Ends) -> None:
        """Note that a probe came through."""
        self._proven.add(ends)

    def disprove(self, ends: Ends) -> None:
        """Note that the path is not good enough, or no longer."""
        self._proven.discard(ends)

    def forget(self, ends: Ends) -> None:
        """Stop watching a path."""
        self._watched.discard(ends)
        self._proven.discard(ends)
        self.used.discard(ends)
        self.fresh.pop(ends, None)
