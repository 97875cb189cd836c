# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory one node takes, of many in one process."""

from __future__ import annotations

import gc
import sys
from random import Random
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from aerod.config import Config

# What nodes share, or what takes none worth counting.
_NOT_OURS = (type, ModuleType, FunctionType, BuiltinFunctionType, Random, Config)


def footprint(node: Any) -> int:
    """Return the bytes of all that can be reached from ``node``, each object once."""
    seen, total, left = {id(node)}, 0, [node]
    while left:
        thing = left.pop()
        total += sys.getsizeof(thing)
        for part in gc.get_referents(thing):
            if id(part) not in seen and not isinstance(part, _NOT_OURS):
                seen.add(id(part))
                left.append(part)
    return total
