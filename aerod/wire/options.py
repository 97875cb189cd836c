# SPDX-License-Identifier: GPL-3.0-or-later
"""What DHCPv6 and ND messages have in common: a list of options to look into."""

from __future__ import annotations

from typing import TypeVar

Kind = TypeVar("Kind")


class HasOptions:
    """Look-up by class in the ``options`` of a message, or of an option that contains options."""

    __slots__ = ()
    options: tuple

    def find(self, kind: type[Kind]) -> Kind | None:
        """Return the first option of class ``kind``, or None."""
        for option in self.options:
            if isinstance(option, kind):
                return option
        return None

    def find_all(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """Return all options of class ``kind`` in their order."""
        return tuple([option for option in self.options if isinstance(option, kind)])
