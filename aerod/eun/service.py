# SPDX-License-Identifier: GPL-3.0-or-later
"""``aerod --eun``: addresses, router advertisements and DHCPv4 of the end user network.

It follows the leases of the aerod beside it and makes the EUN follow them at once: a prefix
that is lost or changed is deprecated, its address removed, its DHCPv4 range stopped (RFC 7084, L-13).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from aerod.address import Prefix
from aerod.config import Config
from aerod.eun import dnsmasq, radvd
from aerod.eun.child import Child
from aerod.eun.lease_watch import LeaseWatch
from aerod.eun.plan import LeasedSubnet, Plan
from aerod.shell import systemd
from aerod.shell.host_address import host_address
from aerod.shell.kernel import Kernel
from aerod.shell.loop import Loop
from aerod.shell.rtnl import Rtnl
from aerod.shell.rtnl_messages import AEROD_PROTOCOL, FOREVER, Address, Route, family_of

log = logging.getLogger("aero-eun")

_RUN_DIR = "/run/aero-eun"
_KERNEL_PROTOCOL, _PREFIX_ROUTE_METRIC = 2, 256
_RESTART_DELAY = 1.0  # seconds
_INSTALL_DELAY = 30.0  # seconds, when radvd or dnsmasq is not there


class EunService:
    """Serves the EUN interface of ``config``; also the listener of its :class:`Kernel`."""

    tables: tuple[int, ...] = ()
    rules = False

    def __init__(self, config: Config, aerod_run_dir: Path) -> None:
        if config.client is None or config.client.eun_interface is None:
            raise OSError("this node has no client.eun_interface: there is no end user network to serve")
        self._interface = config.client.eun_interface
        self._mtu = config.client.eun_mtu
        self._directory = Path(os.environ.get("RUNTIME_DIRECTORY", _RUN_DIR))
        self._loop = Loop()
        self._kernel = Kernel(Rtnl())
        self._plan = Plan()
        self._watch = LeaseWatch(self._loop, aerod_run_dir / "aerod.sock", self._leases_changed)
        self._told = False  # by aerod what is leased; nothing is touched before that
        self._expiry_timer = self._loop.timer(self._expire)
        self._retry_timer = self._loop.timer(self._announce)
        radvd_conf, dnsmasq_conf = self._directory / "radvd.conf", self._directory / "dnsmasq.conf"
        pid_file = str(self._directory / "radvd.pid")
        radvd_command = ["radvd", "-n", "-m", "stderr_clean", "-C", str(radvd_conf), "-p", pid_file]
        self._radvd = Child(radvd_command, radvd_conf, reloads=True)
        dnsmasq_command = ["dnsmasq", "-k", "--log-facility=-", f"-C{dnsmasq_conf}"]
        self._dnsmasq = Child(dnsmasq_command, dnsmasq_conf, reloads=False)

    def run(self) -> None:
        """Serve until a signal.  The addresses stay: they have the lifetimes of the lease."""
        self._directory.mkdir(exist_ok=True)
        self._kernel.follow(self._loop, self)
        self._withdraw_leftovers()
        self._loop.handle_signals({
            signal.SIGTERM: self._loop.stop,
            signal.SIGINT: self._loop.stop,
            signal.SIGCHLD: self._reap,
        })
        self._watch.connect()
        systemd.notify("READY=1")
        self._loop.run()
        self._radvd.stop()
        self._dnsmasq.stop()

    def _withdraw_leftovers(self) -> None:
        """Note what an earlier run gave the EUN; the first event tells what of it is still leased."""
        now = time.time()
        leftovers = (a for a in self._own_addresses() if family_of(a.ip) == socket.AF_INET6)
        self._plan.withdraw({Prefix.masked(a.ip, a.length): now + a.valid for a in leftovers}, now)

    def _own_addresses(self) -> list[Address]:
        return [a for a in self._kernel.addresses_of(self._interface) if a.protocol == AEROD_PROTOCOL]

    def _reap(self) -> None:
        died = [child for child in (self._radvd, self._dnsmasq) if child.reap()]
        if died:
            self._retry_timer.set_earlier(self._loop.now() + _RESTART_DELAY)

    # What the leases and the kernel tell

    def _leases_changed(self, subnets: tuple[LeasedSubnet, ...]) -> None:
        self._told = True
        self._plan.lease(subnets, time.time())
        log.info("leased: %s", ", ".join(str(leased.subnet) for leased in self._plan.current) or "nothing")
        self._apply()
        self._announce()

    def _expire(self) -> None:
        self._plan.expire(time.time())
        self._apply()
        self._announce()

    def changed(self) -> None:
        """Put the addresses back when the interface comes up."""
        self._apply()

    def overrun(self) -> None:
        """Addresses were read again."""
        self._apply()

    def route_changed(self, added: bool, replaces: bool, route: Route) -> None:
        """No table is followed."""

    # Making the EUN equal to the plan

    def _apply(self) -> None:
        """Make the interface's addresses right."""
        link = self._kernel.link(self._interface)
        if link is None or not self._told:
            return
        now = time.time()
        addresses = [_address(link.index, leased, now) for leased in self._plan.current]
        wanted = {(address.ip, address.length): address for address in addresses}
        present = {(address.ip, address.length): address for address in self._own_addresses()}
        for key, address in present.items():
            if key not in wanted:
                self._remove(address)
        for key, address in wanted.items():
            if key not in present or abs(present[key].valid - address.valid) > 1:
                _try(self._kernel.rtnl.add_address, address)

    def _remove(self, address: Address) -> None:
        """Remove an address and, since the kernel leaves it until it expires, its prefix route."""
        _try(self._kernel.rtnl.remove_address, address)
        if family_of(address.ip) == socket.AF_INET6:
            subnet = Prefix.masked(address.ip, address.length)
            route = Route(subnet, address.index, metric=_PREFIX_ROUTE_METRIC, protocol=_KERNEL_PROTOCOL)
            with contextlib.suppress(ProcessLookupError):
                self._kernel.rtnl.remove_route(route)

    def _announce(self) -> None:
        """Have radvd and dnsmasq tell the hosts."""
        now = time.time()
        advertised = None
        if radvd.is_needed(self._plan):
            advertised = radvd.render(self._interface, self._mtu, self._plan, now)
        ranges = dnsmasq.ranges(self._plan)
        served = dnsmasq.render(self._interface, self._mtu, ranges, self._directory) if ranges else None
        for child, text in ((self._radvd, advertised), (self._dnsmasq, served)):
            try:
                child.configure(text)
            except OSError as error:
                log.error("%s: %s", error.filename, error.strerror)
                self._retry_timer.set_earlier(self._loop.now() + _INSTALL_DELAY)
        change = self._plan.next_change(now)
        self._expiry_timer.set(None if change is None else self._loop.now() + max(0.0, change - now))


def _address(index: int, leased: LeasedSubnet, now: float) -> Address:
    valid = _lifetime(leased.valid_until, now)
    preferred = min(valid, _lifetime(leased.preferred_until, now))
    subnet = leased.subnet
    ip = host_address(subnet)
    return Address(index, ip, subnet.native_length, preferred=preferred, valid=max(1, valid))


def _lifetime(until: float, now: float) -> int:
    return int(min(FOREVER, max(0.0, until - now)))


def _try(change: Callable[[Address], None], address: Address) -> None:
    try:
        change(address)
    except OSError as error:
        log.warning("the kernel refused a change: %s", error)
