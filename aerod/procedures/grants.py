# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DHCPv6 Reply on its way to the Client means for the Server's neighbor entries.

A grant is told by status and lifetimes, never by the presence of an option (D6): the DHCPv6
server returns the relay's options with refusals, too.
"""

from __future__ import annotations

from dataclasses import replace

from aerod.address import Prefix
from aerod.procedures.bindings import Bindings
from aerod.procedures.interface_id import Request
from aerod.state.neighbors import Link
from aerod.wire.dhcpv6 import RELEASE, REQUEST, SOLICIT, Message
from aerod.wire.dhcpv6_options import IAPD, STATUS_SUCCESS, ClientId, HasOptions, IAPrefix, StatusCode


def apply_reply(
    bindings: Bindings, message: Message, request: Request, asps: tuple[Prefix, ...], now: float
) -> None:
    """Change the entry of the Client that ``message`` answers; ``request`` says how it was reached."""
    client = message.find(ClientId)
    if client is None or not _succeeded(message):
        return
    link = Link(request.link_id, request.preference, request.client, request.local)
    if request.type == RELEASE:
        _apply_release(bindings, client.value, message, link, now)
        return
    lasting = [
        _apply_association(bindings, client.value, association, asps, now)
        for association in message.find_all(IAPD)
    ]
    neighbor = bindings.client(client.value)
    if neighbor is not None and any(lasting):
        # The answer to a repetition begins nothing: the Client may have told of other links since the first.
        anew = request.type in (SOLICIT, REQUEST) and neighbor.begun != message.transaction_id
        if anew:
            neighbor.begun = message.transaction_id
        bindings.set_link(neighbor, link, anew)
        # Where it was it may have been asked in vain: a NAT had forgotten it.
        neighbor.note_heard(now)


def _apply_release(bindings: Bindings, duid: bytes, message: Message, sender: Link, now: float) -> None:
    """End what was released: the IA_PDs answered with success, all if the server names none."""
    associations = message.find_all(IAPD)
    released = {association.iaid for association in associations if _succeeded(association)}
    sender = replace(sender, link_id=0, preference=255)
    bindings.release(duid, released if associations else None, sender, now)


def _apply_association(
    bindings: Bindings, duid: bytes, association: IAPD, asps: tuple[Prefix, ...], now: float
) -> bool:
    """Grant and withdraw what it says; return whether there is a prefix in it that has not ended."""
    lasts = False
    for prefix in association.find_all(IAPrefix):
        acp = prefix.acp
        if acp is None or not prefix.has_valid_lifetimes:
            continue
        if prefix.valid == 0:
            bindings.withdraw(duid, acp, now)
            continue
        lasts = True
        if _succeeded(association) and any(asp.covers(acp) for asp in asps):
            bindings.grant(duid, acp, association.iaid, now + prefix.valid, now)
    return lasts


def _succeeded(holder: HasOptions) -> bool:
    return all(status.status == STATUS_SUCCESS for status in holder.find_all(StatusCode))
