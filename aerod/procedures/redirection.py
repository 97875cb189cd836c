# SPDX-License-Identifier: GPL-3.0-or-later
"""Predirect and Redirect: what goes into them, what is taken from them (draft 3.17)."""

from __future__ import annotations

from collections.abc import Iterable

from aerod.address import (
    LINK_LOCAL_PREFIX,
    MAPPED_PREFIX,
    UNSPECIFIED,
    LinkLayerAddress,
    Prefix,
    embedded,
    is_link_local,
    is_multicast,
)
from aerod.state.neighbors import Link
from aerod.state.prefix_map import unembed
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.errors import MalformedPacket
from aerod.wire.fragment import MINIMUM_MTU
from aerod.wire.ip import IPV4_HEADER_LENGTH, IPV6_HEADER_LENGTH, IPHeader, parse_ip
from aerod.wire.nd_options import (
    TARGET_LINK_LAYER_ADDRESS,
    LinkLayerOption,
    Nonce,
    Option,
    RedirectedHeader,
    Timestamp,
)

NONCE_LENGTH = 6

_EMPTY = LinkLayerAddress(UNSPECIFIED, 0)
_IPV4_LOOPBACK = 127
_UNIT = 8

Redirection = nd.Predirect | nd.Redirect


def aero_address_of(address: bytes) -> bytes:
    """Return the AERO address that embeds a 16-byte destination whose ACP is not known (draft 3.3)."""
    identifier = address[8:] if address.startswith(MAPPED_PREFIX) else address[:8]
    return LINK_LOCAL_PREFIX + identifier


def empty_link(kind: int, link_id: int, preference: int) -> LinkLayerOption:
    """Return an S/TLLAO whose address the Server on the way fills in."""
    return LinkLayerOption(kind, link_id, preference, _EMPTY)


def target_options(links: Iterable[tuple]) -> list[LinkLayerOption]:
    """Return a TLLAO to be filled in for each link: its Link ID, its Preference, whatever else."""
    return [empty_link(TARGET_LINK_LAYER_ADDRESS, link[0], link[1]) for link in links]


def pack_redirection(
    kind: type[Redirection],
    own: Prefix,
    destination: bytes,
    about: bytes,
    options: list[Option],
    packet: bytes,
    room: int,
) -> bytes:
    """Return a Predirect or Redirect from our AERO address of the ACP ``own``.

    ``about`` is the address the Destination Address field tells; ``packet`` the one that
    caused it, of which as much is quoted as fits into ``room`` bytes (O-21).
    """
    if about.startswith(MAPPED_PREFIX):
        about = bytes(12) + about[12:]  # IPv4-compatible (O-35)
    source = own.aero_address

    def whole(*more: Option) -> bytes:
        message = kind(source, about, own.native_length, (*options, *more))
        return nd.pack(message, source, destination)

    bare = whole()
    fits = (room - len(bare) - _UNIT) // _UNIT * _UNIT
    return whole(RedirectedHeader(packet[:fits])) if packet and fits > 0 else bare


def control_room(path: Path) -> int:
    """Return the size up to which a message needs no tunnel fragments, on ``path`` nor further on (O-21).

    What leaves over IPv4 may go on over IPv6, whose header is the longer one.
    """
    longer = IPV6_HEADER_LENGTH - IPV4_HEADER_LENGTH if path.remote.is_ipv4 else 0
    return MINIMUM_MTU - path.encaps - longer


def sender_prefix(message: Redirection, source: bytes, asps: Iterable[Prefix]) -> Prefix:
    """Return the prefix the sender claims; MalformedPacket if it is not that of its AERO address."""
    if message.target != source or embedded(source)[0] == "id":
        raise MalformedPacket("redirection: the target is not the sender")
    ipv4 = embedded(source)[0] == "ipv4"
    length = message.prefix_length + (96 if ipv4 else 0)
    prefix = Prefix.masked(unembed(int.from_bytes(source, "big")), length)
    if prefix.aero_address != source or not any(asp.covers(prefix) for asp in asps):
        raise MalformedPacket(f"redirection: {prefix} is no prefix of the sender")
    return prefix


def told_links(message: Redirection | nd.NeighborAdvertisement) -> list[Link]:
    """Return the links in the TLLAOs; those that nobody filled in or that are no address are left out."""
    return [
        Link(option.link_id, option.preference, option.address)
        for option in message.find_all(LinkLayerOption)
        if option.is_target and _is_usable(option.address)
    ]


def _is_usable(address: LinkLayerAddress) -> bool:
    """Whether packets may be sent there: a unicast address of more than one host's reach."""
    ip = address.ip
    if address.is_ipv4:
        return 0 < ip[12] < 240 and ip[12] != _IPV4_LOOPBACK and not is_multicast(ip)
    return int.from_bytes(ip, "big") > 1 and not is_multicast(ip) and not is_link_local(ip)


def pack_redirect(
    predirect: nd.Predirect,
    header: IPHeader,
    own: Prefix,
    links: Iterable[LinkLayerOption],
    stamp: Timestamp,
    path: Path | None,
) -> bytes:
    """Return the answer to a Predirect that came with ``header``, from the ACP ``own`` it is for.

    Its Nonce comes back, its quote as far as it fits over ``path``.
    """
    quote = predirect.find(RedirectedHeader)
    packet = b"" if quote is None else quote.packet
    about = _destination(packet)
    if about is None or not own.contains(about):
        about = unembed(int.from_bytes(header.destination, "big")).to_bytes(16, "big")
    nonce = predirect.find(Nonce)
    options = [*links, stamp, *([] if nonce is None else [nonce])]
    room = 0 if path is None else control_room(path)
    return pack_redirection(nd.Redirect, own, header.source, about, options, packet, room)


def _destination(quoted: bytes) -> bytes | None:
    try:
        return parse_ip(quoted, whole=False).destination
    except MalformedPacket:
        return None
