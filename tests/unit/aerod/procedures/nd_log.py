# SPDX-License-Identifier: GPL-3.0-or-later
"""The ND messages of a network in memory, and what an ND message of a test's own looks like."""

from __future__ import annotations

from typing import NamedTuple

from aerod.address import LinkLayerAddress, parse_address
from aerod.wire import nd
from aerod.wire.ip import IPHeader, parse_ip
from aerod.wire.nd_options import TARGET_LINK_LAYER_ADDRESS, LinkLayerOption, Timestamp
from tests.unit.aerod.harness import Link

C1_LL, C2_LL = parse_address("fe80::2001:db8:1000:2000"), parse_address("fe80::2001:db8:1:0")
C1_V4_LL, C2_V4_LL = parse_address("fe80::ffff:198.51.100.32"), parse_address("fe80::ffff:198.51.100.64")


class Sent(NamedTuple):
    """An ND message on the underlay: when it left whom for where."""

    sender: str
    to: str
    header: IPHeader
    message: nd.Message


def nd_sent(link: Link, kind: type | tuple = object, since: int = 0) -> list[Sent]:
    """All whole ND messages in the log, of one kind or all; ``since`` is a position in it."""
    found = []
    for sender, datagram in link.log[since:]:
        if datagram.payload[0] >> 4 != 6:
            continue
        header = parse_ip(datagram.payload)
        if nd.is_nd(datagram.payload, header):
            message = nd.unpack(datagram.payload, header)
            if isinstance(message, kind):
                found.append(Sent(sender, datagram.remote.text, header, message))
    return found


def data_hops(link: Link, packet: bytes, since: int = 0) -> list[str]:
    """Who sent the inner packet, hop by hop, as it left."""
    return [sender for sender, datagram in link.log[since:] if datagram.payload == packet]


def tllao(link_id: int, preference: int, address: str, port: int = 8060) -> LinkLayerOption:
    where = LinkLayerAddress.parse(address, port)
    return LinkLayerOption(TARGET_LINK_LAYER_ADDRESS, link_id, preference, where)


def stamp(link: Link, ahead: float = 0.0) -> Timestamp:
    """A Timestamp ``ahead`` seconds of the clocks of the network, which start in 1970."""
    return Timestamp(int((link.now + ahead) * 65536))


def dynamic(host, link: Link) -> list[dict]:
    return host.node.neighbors(link.now, "dynamic")
