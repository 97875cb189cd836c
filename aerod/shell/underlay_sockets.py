# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets that carry tunnel packets over the underlays, one endpoint for each own address."""

from __future__ import annotations

import logging
import os
import select
from collections import Counter
from collections.abc import Callable

from aerod.address import MAPPED_PREFIX
from aerod.config_encapsulation import EncapsulationConfig
from aerod.interface import Datagram, Underlay, UnderlayError
from aerod.shell.endpoint import Checksums, text
from aerod.shell.group_endpoint import GroupEndpoint
from aerod.shell.loop import Loop
from aerod.shell.raw_endpoint import RawEndpoint
from aerod.shell.time_exceeded import TimeExceeded
from aerod.shell.udp_endpoint import UdpEndpoint

log = logging.getLogger("aerod")

Endpoint = UdpEndpoint | RawEndpoint

_ENDPOINTS: dict[str, type[Endpoint]] = {"plain": UdpEndpoint, "gue": UdpEndpoint, "raw": RawEndpoint}
# By the knob udp_checksum (draft section 3.13.2, O-14).
_CHECKSUMS = {
    "auto": Checksums(df0=True, df1=False, ipv6=False),
    "always": Checksums(df0=True, df1=True, ipv6=True),
    "never": Checksums(df0=False, df1=False, ipv6=False),
}


def checksums(config: EncapsulationConfig) -> Checksums:
    """Where UDP checksums are due; GUE over IPv6 cannot do without (O-6)."""
    chosen = _CHECKSUMS[config.udp_checksum]
    return chosen._replace(ipv6=True, ipv6_needed=True) if config.encapsulation == "gue" else chosen


def _is_ipv4(ip: bytes) -> bool:
    return ip.startswith(MAPPED_PREFIX)


class UnderlaySockets:
    """The endpoints of all underlays; ``received`` gets each batch of datagrams, ``failed`` the errors.

    With ``in_group``, Clients find this node in the Servers' group of each underlay.
    """

    def __init__(
        self,
        loop: Loop,
        port: int,
        config: EncapsulationConfig,
        received: Callable[[list[Datagram]], None],
        failed: Callable[[list[UnderlayError]], None],
        counters: Counter[str],
        in_group: bool = False,
    ) -> None:
        self._loop = loop
        self._port = port
        self._kind = _ENDPOINTS[config.encapsulation]
        self._checksums = checksums(config)
        self._received = received
        self._failed = failed
        self._counters = counters
        self._in_group = in_group
        # The key is Link ID and own address.
        self._endpoints: dict[tuple[int, bytes], tuple[Underlay, Endpoint]] = {}
        self._group_endpoints: dict[tuple[int, bytes], GroupEndpoint] = {}
        if not self._checksums.df0 and port:
            self._listen_for_time_exceeded()

    def _listen_for_time_exceeded(self) -> None:
        try:
            listener = TimeExceeded(self._port)
        except OSError as error:
            log.warning("nobody will tell that checksums are needed: %s (CAP_NET_RAW)", error.strerror)
        else:
            self._loop.add(listener.fileno(), lambda _events: self._failed(list(listener.errors())))

    def open(self, underlays: tuple[Underlay, ...]) -> list[str]:
        """Have exactly the endpoints of ``underlays``; returns what could not be bound, and why."""
        wanted = {(underlay.link_id, ip): underlay for underlay in underlays for ip in underlay.addresses}
        for key, (underlay, endpoint) in list(self._endpoints.items()):
            if key not in wanted or wanted[key].interface != underlay.interface:
                self._close(key, endpoint)
        failures = []
        for (link_id, ip), underlay in wanted.items():
            if (link_id, ip) not in self._endpoints:
                try:
                    self._open(underlay, ip)
                except OSError as error:
                    port = f" port {self._port}" if self._port else ""
                    place = f"{text(ip)}{port} on {underlay.interface}"
                    failures.append(f"{place}: {os.strerror(error.errno or 0)}")
        return failures

    def _open(self, underlay: Underlay, ip: bytes) -> None:
        endpoint = self._kind(underlay, ip, self._port, self._checksums, self._counters)
        self._endpoints[underlay.link_id, ip] = (underlay, endpoint)

        def ready(events: int) -> None:
            if events & select.EPOLLERR:
                self._failed(endpoint.take_errors())
            if events & select.EPOLLIN:
                self._received(endpoint.receive())

        for member in endpoint.sockets:
            self._loop.add(member.fileno(), ready)
        # The first address of a family is enough: each would hear all.
        alike = next(other for other in underlay.addresses if _is_ipv4(other) == _is_ipv4(ip))
        if self._in_group and ip == alike:
            self._open_group(underlay, ip)

    def _open_group(self, underlay: Underlay, ip: bytes) -> None:
        try:
            endpoint = GroupEndpoint(underlay, ip, self._port, self._checksums, self._counters)
        except OSError as error:
            log.warning("Clients find nobody in a group on %s: %s", underlay.interface, error.strerror)
            return
        self._group_endpoints[underlay.link_id, ip] = endpoint
        self._loop.add(endpoint.sockets[0].fileno(), lambda _events: self._received(endpoint.receive()))

    def _close(self, key: tuple[int, bytes], endpoint: Endpoint) -> None:
        del self._endpoints[key]
        group = self._group_endpoints.pop(key, None)
        for each in (endpoint, group) if group else (endpoint,):
            for member in each.sockets:
                self._loop.remove(member.fileno())
            each.close()

    def use_checksums(self) -> None:
        """Send UDP checksums wherever they are due, even if configured never to."""
        due = _CHECKSUMS["auto"]
        now = self._checksums
        self._checksums = Checksums(
            due.df0 or now.df0, due.df1 or now.df1, due.ipv6 or now.ipv6, now.ipv6_needed
        )
        for _underlay, endpoint in self._endpoints.values():
            endpoint.use_checksums(self._checksums)

    def send(self, datagram: Datagram) -> None:
        """Send from the endpoint of ``datagram.local`` on the underlay ``datagram.link_id``."""
        found = self._endpoints.get((datagram.link_id, datagram.local.ip))
        if found and datagram.remote.is_ipv4 == datagram.local.is_ipv4:
            found[1].send(datagram)
        else:
            self._counters["underlay_send_no_address"] += 1

    def take_errors(self) -> list[UnderlayError]:
        """Return what :meth:`send` found out at once, about packets that our own host refused."""
        return [
            error
            for _underlay, endpoint in self._endpoints.values()
            if endpoint.has_errors
            for error in endpoint.take_errors()
        ]
