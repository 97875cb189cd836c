# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that send a Client what is for its prefixes, though it is not with them (O-51).

One granted them to an earlier run of this Client that left no state, and goes on announcing them: its packets
are refused (section 3.12), so nothing of what the Relays send through it arrives until that lease ends.
"""

from __future__ import annotations

from collections.abc import Callable

from aerod.address import LinkLayerAddress

# What was under way when a Server was left has arrived by then.
_IN_FLIGHT = 10.0


class FormerServers:
    """``ask(address, now)`` has the Server there asked for a lease, which can then be released.

    Nothing is remembered of addresses where no Server ``may_be``.
    """

    def __init__(
        self,
        may_be: Callable[[LinkLayerAddress], bool],
        ask: Callable[[LinkLayerAddress, float], None],
    ) -> None:
        self._may_be = may_be
        self._ask = ask
        self._since: dict[LinkLayerAddress, float] = {}

    def refused(self, address: LinkLayerAddress, now: float) -> None:
        """A packet for one of our prefixes came from there."""
        if self._may_be(address) and now - self._since.setdefault(address, now) >= _IN_FLIGHT:
            del self._since[address]
            self._ask(address, now)
