# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of a Client, derived from the secrets of the link.

aerod does the same on Servers (aerod/wire/dhcpv6_authentication.py, aerod/wire/signature.py), which so need
no list of Clients. Secrets and keys are hex digits.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from ansible_collections.aero.link.plugins.module_utils._prefixes import parse_address

_DHCP_LABEL = b"aero-client-key-1"
_SIGNATURE_LABEL = b"aero-signature-key-1"


def dhcp_key(secret: str, client_id: str) -> str:
    """The key that proves a Client's DHCPv6 messages (O-26); ``client_id`` is a DUID in hex digits."""
    return _derived(secret, _DHCP_LABEL, bytes.fromhex(client_id))


def signature_key(secret: str, owner: str) -> str:
    """The key a Client signs packets with (O-4); ``owner`` is a DUID in hex digits or an AERO address."""
    bare = re.fullmatch(r"([0-9a-f]{2})+", owner)
    name = bytes.fromhex(owner) if bare else parse_address(owner).to_bytes(16, "big")
    return _derived(secret, _SIGNATURE_LABEL, name)


def _derived(secret: str, label: bytes, owner: bytes) -> str:
    return hmac.new(bytes.fromhex(secret), label + owner, hashlib.sha256).hexdigest()
