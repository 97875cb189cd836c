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
    """Who the Client is: its DUID, its IAIDs 1 to ``prefixes``, the layout of its vendor options.

    ``lengths`` are those of the prefixes by IAID, as far as they are known.
    """

    duid: bytes
    prefixes: int
    layout: str
    lengths: tuple[int, ...] = ()


def request(
    identity: Identity,
    exchange: Exchange,
    elapsed: int,
    server_id: bytes,
    held: Mapping[int, Prefix],
    rapid: bool = True,
) -> Message:
    """Return the message of an exchange that has lasted ``elapsed`` hundredths of a second.

    ``server_id`` is the value of the Server's DUID option, ``held`` the leased prefix of each IAID;
    ``rapid`` asks for a Reply to a Solicit (O-28).
    """
    options = [
        ClientId(identity.duid),
        ElapsedTime(elapsed),
        OptionRequest((vendor.VendorOptions.code, SolMaxRT.code)),
        *vendor.encode([vendor.AllaReq(exchange.link_id, exchange.preference)], identity.layout),
    ]
    if exchange.kind in (REQUEST, RENEW, RELEASE):
        options.append(ServerId(server_id))
    if exchange.kind == SOLICIT and rapid:
        options.append(RapidCommit())
    options += _identity_associations(identity, exchange.kind, held)
    return Message(exchange.kind, exchange.transaction_id, tuple(options))


def _identity_associations(identity: Identity, kind: int, held: Mapping[int, Prefix]) -> Iterator[IAPD]:
    """Yield one IA_PD for each ACP with a constant IAID (D6, D21), naming the prefix to be extended.

    Without one the length is a hint (RFC 8415 section 18.2.1), by which ISC dhcpd tells two ACPs apart.
    """
    for iaid in range(1, identity.prefixes + 1):
        prefix = held.get(iaid) if kind in (RENEW, REBIND, RELEASE) else None
        if prefix is not None or kind != RELEASE:
            if prefix is not None:
                named = (IAPrefix(0, 0, prefix.length, prefix.packed),)
            else:
                hints = identity.lengths[iaid - 1 : iaid]
                named = tuple(IAPrefix(0, 0, length, bytes(16)) for length in hints)
            yield IAPD(iaid, 0, 0, named)
