# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DHCPv6 server's message tells a Client: prefixes and status codes."""

from __future__ import annotations

from aerod.wire.dhcpv6 import Message
from aerod.wire.dhcpv6_options import IAPD, STATUS_SUCCESS, IAPrefix, StatusCode

_STATUS_NAMES = {1: "UnspecFail", 3: "NoBinding", 5: "UseMulticast", 6: "NoPrefixAvail"}


def granted_prefixes(message: Message) -> list[tuple[int, IAPrefix]]:
    """Return the usable prefixes of the message with their IAIDs."""
    return [
        (association.iaid, prefix)
        for association in message.find_all(IAPD)
        if association.has_valid_times
        for prefix in association.find_all(IAPrefix)
        if prefix.has_valid_lifetimes and prefix.acp is not None
    ]


def grants(message: Message) -> bool:
    return any(prefix.valid for _unused, prefix in granted_prefixes(message))


def _statuses(message: Message) -> list[StatusCode]:
    holders = (message, *message.find_all(IAPD))
    return [status for holder in holders for status in holder.find_all(StatusCode)]


def has_status(message: Message, status: int) -> bool:
    return any(code.status == status for code in _statuses(message))


def status_text(message: Message) -> str:
    """Return the first failure the message tells, empty if there is none."""
    for code in _statuses(message):
        if code.status != STATUS_SUCCESS:
            name = _STATUS_NAMES.get(code.status, f"status {code.status}")
            return f"{name}: {code.text}" if code.text else name
    return ""
