# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets that the keys of Clients follow from (_client_keys.py), as the inventory has them.

No message of this module shows a secret.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._model_values import (
    NOT_SHOWN,
    STILL_THE_EXAMPLE,
    Place,
    closest,
    of_example,
    whole,
)

_KEYS = ("id", "secret")
LARGEST_ID = 4294967295
LEAST_BYTES = 32


def secrets(value: t.Any, at: Place) -> list[int] | None:
    """Check secrets that keys follow from; return their IDs in the same order, which are no secret."""
    if not isinstance(value, (list, tuple)):
        return at.refuse(NOT_SHOWN, "not a list; allowed: a list of dictionaries with id and secret")
    ids = [_secret(each, at / f"[{position}]") for position, each in enumerate(value)]
    for number, times in sorted(collections.Counter(ids).items(), key=str):
        if number is not None and times > 1:
            at.refuse(NOT_SHOWN, f"the id {number} is there {times} times; allowed: each id once")
    return ids if None not in ids else None


def _secret(value: t.Any, at: Place) -> int | None:
    if not isinstance(value, dict):
        return at.refuse(NOT_SHOWN, "not a dictionary; allowed: the keys id and secret")
    for key in value.keys() - set(_KEYS):
        (at / f".{key}").refuse(NOT_SHOWN, f"unknown key; {closest(key, _KEYS)}allowed: {', '.join(_KEYS)}")
    text = value.get("secret")
    if text is None or not _is_secret(text):
        shown = None if text is None else NOT_SHOWN
        (at / ".secret").refuse(shown, f"not usable; allowed: hex digits for at least {LEAST_BYTES} bytes, "
                                       "as openssl rand -hex 32 prints them")
    elif of_example(bytes.fromhex(text)):
        (at / ".secret").refuse(NOT_SHOWN, STILL_THE_EXAMPLE)
    number = whole(value.get("id"))
    if number is None or not 0 <= number <= LARGEST_ID:
        # Somebody may have mixed the two up.
        shown = None if value.get("id") is None else NOT_SHOWN
        return (at / ".id").refuse(shown, f"not usable; allowed: a whole number, 0 to {LARGEST_ID}")
    return number


def _is_secret(text: t.Any) -> bool:
    return isinstance(text, str) and re.fullmatch(rf"([0-9A-Fa-f]{{2}}){{{LEAST_BYTES},}}", text) is not None
