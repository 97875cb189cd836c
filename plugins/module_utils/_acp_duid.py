# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Client IDs: DHCP unique identifiers (RFC 8415, section 11) in the spellings people and products use."""

from __future__ import annotations

import re

# Least and most bytes of a DUID by its type.
_DUID_BYTES = {1: (9, 130), 2: (7, 130), 3: (5, 130), 4: (18, 18)}
_HEX = re.compile(r"[0-9a-f]+")
# What stands between the bytes, and how many digits stand between two of them.
_SEPARATORS = {":": 2, "-": 2, ".": 4}

ALLOWED = "allowed: a DUID in hexadecimal, with or without colons, such as 00:03:00:01:52:54:00:12:34:56"


def parse_duid(text: str) -> str:
    """The DUID as lower-case hexadecimal digits without anything between them.

    Understood are 00:03:00:01:..., 00-03-00-01-..., 0003.0001...., 00030001... and 0x00030001..., in lower or
    upper case.

    :raises ValueError: malformed; the message says what is allowed
    """
    digits = text.lower()
    for separator, group in _SEPARATORS.items():
        if separator in digits:
            digits = _joined(digits, separator, group)
            break
    else:
        digits = digits.removeprefix("0x")
    if not _HEX.fullmatch(digits) or len(digits) % 2:
        raise ValueError(f"not hexadecimal bytes; {ALLOWED}")
    size = len(digits) // 2
    least, most = _DUID_BYTES.get(int(digits[:4], 16), (0, 0))
    if not most:
        hint = f" (a MAC address? then it is {colons('00030001' + digits)})" if size == 6 else ""
        raise ValueError(f"begins with no DUID type from 0001 to 0004{hint}; {ALLOWED}")
    if not least <= size <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ValueError(f"a DUID of this type has {wanted} bytes, not {size}; {ALLOWED}")
    return digits


def _joined(text: str, separator: str, group: int) -> str:
    """The digits without the separators, each of which must stand after a whole group."""
    digits = text.replace(separator, "")
    # The last group of the dotted form may be a single byte.
    groups = (len(digits) + group - 1) // group
    if len(text) != len(digits) + groups - 1 or text[group::group + 1].strip(separator):
        kind = "pairs" if group == 2 else "groups of four"
        raise ValueError(f"not {kind} of hexadecimal digits; {ALLOWED}")
    return digits


def colons(client_id: str) -> str:
    """The DUID in the form Kea shows: pairs of digits with colons between."""
    return ":".join(client_id[i:i + 2] for i in range(0, len(client_id), 2))
