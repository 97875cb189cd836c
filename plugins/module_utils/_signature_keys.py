# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys that Clients sign with, derived from the secrets of the link (O-4).

aerod does the same on Relays and Servers (aerod/wire/signature.py), which so need no list of Clients.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_address

_LABEL = b"aero-signature-key-1"


def derived_key(secret: str, owner: str) -> str:
    """The key in hexadecimal; ``owner`` is a DUID in bare hexadecimal or an AERO address."""
    bare = re.fullmatch(r"([0-9a-f]{2})+", owner)
    name = bytes.fromhex(owner) if bare else parse_address(owner).to_bytes(16, "big")
    return hmac.new(bytes.fromhex(secret), _LABEL + name, hashlib.sha256).hexdigest()
