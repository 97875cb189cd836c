# SPDX-License-Identifier: GPL-3.0-or-later
"""The usable underlying interfaces, and the paths over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aerod.address import MAPPED_PREFIX, LinkLayerAddress
from aerod.interface import Underlay
from aerod.wire.carriage import Carriage


@dataclass(frozen=True, slots=True)
class Path:
    """How to reach a link-layer address: from where, over which link, and what fits.

    ``encaps`` is the encapsulation overhead in bytes, fragment fields included (section 3.13).
    """

    remote: LinkLayerAddress
    local: LinkLayerAddress
    link_id: int
    mtu: int
    encaps: int


def _is_ipv4(address: bytes) -> bool:
    return address.startswith(MAPPED_PREFIX)


def address_toward(underlay: Underlay, remote: LinkLayerAddress) -> bytes | None:
    """Return the underlay's best 16-byte address of the family of ``remote``, None if it has none."""
    for address in underlay.addresses:
        if _is_ipv4(address) == remote.is_ipv4:
            return address
    return None


class Underlays:
    """The underlays usable now, best Preference first, ties to the lowest Link ID (O-18)."""

    def __init__(self, port: int, carriage: Carriage) -> None:
        self._port = port
        self._carriage = carriage
        self._usable: tuple[Underlay, ...] = ()
        # Those to be used toward IPv4 and toward IPv6, for they are asked for with every packet and timer,
        # and those that are about to go.
        self._toward: dict[bool, tuple[Underlay, ...]] = {True: (), False: ()}
        self._leaving: dict[bool, tuple[Underlay, ...]] = {True: (), False: ()}

    def __iter__(self):
        return iter(self._usable)

    def replace(self, underlays: Iterable[Underlay]) -> None:
        self._usable = tuple(sorted(underlays, key=lambda u: (-u.preference, u.link_id)))
        for ipv4 in (True, False):
            suiting = [u for u in self._usable if any(_is_ipv4(a) == ipv4 for a in u.addresses)]
            lasting = [
                u for u in suiting if any(_is_ipv4(a) == ipv4 and a not in u.deprecated for a in u.addresses)
            ]
            self._toward[ipv4] = tuple(lasting or suiting)
            self._leaving[ipv4] = tuple(u for u in suiting if u not in self._toward[ipv4])

    def toward(self, remote: LinkLayerAddress) -> tuple[Underlay, ...]:
        """Return the underlays that have an address of the family of ``remote``, best first.

        Those that have only deprecated ones are left out if there are others.
        """
        return self._toward[remote.is_ipv4]

    def leaving(self, remote: LinkLayerAddress) -> tuple[Underlay, ...]:
        """Return those left out: still here, but not to be used from now on."""
        return self._leaving[remote.is_ipv4]

    def path(self, remote: LinkLayerAddress, local: bytes | None = None) -> Path | None:
        """Return the path to ``remote``, from the own address ``local`` if that is still here."""
        usable = self.toward(remote)
        for underlay in usable:
            if local in underlay.addresses:
                return self.path_over(underlay, remote, local)
        return self.path_over(usable[0], remote) if usable else None

    def path_over(self, underlay: Underlay, remote: LinkLayerAddress, local: bytes | None = None) -> Path:
        """Return the path to ``remote`` over one underlay that has an address of its family."""
        source = LinkLayerAddress(local or address_toward(underlay, remote), self._port)
        return Path(remote, source, underlay.link_id, underlay.mtu, self._carriage.encaps(remote))

    def own_address(self, ipv4: bool) -> bytes | None:
        """Return one of this node's 16-byte underlay addresses of a family."""
        for underlay in self._usable:
            for address in underlay.addresses:
                if _is_ipv4(address) == ipv4:
                    return address
        return None
