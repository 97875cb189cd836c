# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Client's DHCPv6 message asks of a Server (section 3.15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aerod.address import Prefix
from aerod.procedures.exchange import Exchange
from aerod.wire import vendor_options as vendor
from aerod.wire.dhcpv6 import REBIND, RELEASE, RENEW, REQUEST, SOLICIT, Message
from aerod.wire.dhcpv6_options import (
    IAPD,
    ClientId,
    ElapsedTime,
    IAPrefix,
    OptionRequest,
    RapidCommit,
    ServerId,
    SolMaxRT,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the Client is: its DUID, its IAIDs 1 to ``prefixes``, the layout of its vendor options."""

    duid: bytes
    prefixes: int
    layout: str


def request(
    identity: Identity, exchange: Exchange, elapsed: int, server_id: bytes, held: Mapping[int, Prefix]
) -> Message:
    """Return the message of an exchange that has lasted ``elapsed`` hundredths of a second.

    ``server_id`` is the value of the Server's DUID option, ``held`` the leased prefix of each IAID.
    """
    options = [
        ClientId(identity.duid),
        ElapsedTime(elapsed),
        OptionRequest((vendor.VendorOptions.code, SolMaxRT.code)),
        *vendor.encode([vendor.AllaReq(exchange.link_id, exchange.preference)], identity.layout),
    ]
    if exchange.kind in (REQUEST, RENEW, RELEASE):
        options.append(ServerId(server_id))
    if exchange.kind == SOLICIT:
        options.append(RapidCommit())
    options += _identity_associations(identity, exchange.kind, held)
    return Message(exchange.kind, exchange.transaction_id, tuple(options))


def _identity_associations(identity: Identity, kind: int, held: Mapping[int, Prefix]) -> Iterator[IAPD]:
    """Yield one IA_PD for each ACP with a constant IAID (D6, D21), naming the prefix to be extended."""
    for iaid in range(1, identity.prefixes + 1):
        prefix = held.get(iaid) if kind in (RENEW, REBIND, RELEASE) else None
        if prefix is not None or kind != RELEASE:
            named = () if prefix is None else (IAPrefix(0, 0, prefix.length, prefix.packed),)
            yield IAPD(iaid, 0, 0, named)
