# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration that the suite turns, in one place, as tables for ``Bench.configure``."""

from __future__ import annotations

from typing import Any

Tables = dict[str, Any]

# Encapsulation of data (O-7), one value for the link.
GUE: Tables = {"encapsulation": {"kind": "gue"}}
RAW: Tables = {"encapsulation": {"kind": "raw"}}

# Signatures (O-4): one key for the link, and whether unsigned packets are refused.
KEY_ID, KEY = 7, bytes(range(32))
SIGNED: Tables = {"link": {"signature_key_id": KEY_ID, "signature_key": KEY.hex(), "require_signature": True}}

# Probes (O-13), and how often a proven path is probed again.
PROBES: Tables = {"encapsulation": {"probing": True}}

# The largest packet that is rebuilt from fragments (section 3.13).
REASSEMBLE_4096: Tables = {"encapsulation": {"reassembly_size": 4096}}

# UDP checksums over IPv4 (O-14).
CHECKSUM_NEVER: Tables = {"encapsulation": {"udp_checksum": "never"}}


def time_scale(factor: float) -> Tables:
    """The clock of aerod runs ``factor`` times as fast, at every node of the link."""
    return {"link": {"time_scale": factor}}
