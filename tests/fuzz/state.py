# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a node remembers, whatever it consists of, in a form two of which can be compared."""

from __future__ import annotations

from collections import deque
from enum import Enum
from random import Random
from types import FunctionType, MethodType
from typing import Any

from aerod.state.counters import Counters

_PLAIN = (int, float, str, bytes, bool, type(None), Enum, type)
# What may change by a packet that is dropped, and what has no state.
_SKIPPED = (Counters, Random, FunctionType, MethodType)


def fingerprint(node: object) -> list[Any]:
    """Return what ``node`` consists of, all the way down; counters are not part of it."""
    seen: dict[int, int] = {}
    found: list[Any] = []
    left = [node]
    while left:
        thing = left.pop()
        if isinstance(thing, _PLAIN):
            found.append(thing)
            continue
        if isinstance(thing, _SKIPPED):
            continue
        number = seen.get(id(thing))
        if number is not None:
            found.append(("again", number))
            continue
        seen[id(thing)] = len(seen)
        parts = _parts(thing)
        found.append((type(thing).__name__, len(parts)))
        left += parts
    return found


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, dict):
        return [part for item in thing.items() for part in item]
    if isinstance(thing, (list, tuple, deque)):
        return list(thing)
    if isinstance(thing, (set, frozenset)):
        return sorted(thing, key=repr)
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    parts = [getattr(thing, name) for name in slots if hasattr(thing, name)]
    return parts + list(getattr(thing, "__dict__", {}).values())
