# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server knows of its Client's links, as far as it has confirmed that (sections 3.15.2 and 3.19)."""

from __future__ import annotations

from dataclasses import dataclass, field

from aerod.address import LinkLayerAddress
from aerod.interface import Underlay


@dataclass(slots=True)
class KnownLinks:
    """By Link ID: our 16-byte addresses and Preferences, and as whom it sees us.

    ``gone`` are the links it knows to be gone.
    """

    addresses: dict[int, bytes] = field(default_factory=dict)
    preferences: dict[int, int] = field(default_factory=dict)
    seen: dict[int, LinkLayerAddress] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)

    def forget(self) -> None:
        """The Server begins anew; as whom it saw us stays of interest."""
        self.addresses.clear()
        self.preferences.clear()
        self.gone.clear()

    def told(self, underlay: Underlay) -> bytes | None:
        """The address on this underlay that it was told, None if that is not there any more."""
        address = self.addresses.get(underlay.link_id)
        return address if address in underlay.addresses else None

    def is_current(self, underlay: Underlay, address: bytes | None) -> bool:
        """Whether it has been told of the underlay as it is now, with ``address``."""
        known = self.addresses.get(underlay.link_id), self.preferences.get(underlay.link_id)
        return known == (address, underlay.preference)

    def note(self, link_id: int, address: bytes, preference: int) -> None:
        """It knows the link now; with Preference 0, that it is gone."""
        if preference:
            self.addresses[link_id] = address
            self.preferences[link_id] = preference
            self.gone.discard(link_id)
            return
        for known in (self.addresses, self.preferences, self.seen):
            known.pop(link_id, None)
        self.gone.add(link_id)
