# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon: one node, fed by the underlay, the TUN, the kernel, the DNS and the clock."""

from __future__ import annotations

import errno
import logging
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

from aerod.address import LinkLayerAddress, Prefix
from aerod.config import Config
from aerod.config_authentication import KeysError, read_keys
from aerod.interface import (
    Action,
    AddRoute,
    Datagram,
    EndLease,
    FindCapability,
    FindServer,
    FindServers,
    KernelRoute,
    LeasesChanged,
    Notice,
    RemoveRoute,
    SaveState,
    Underlay,
    UnderlayError,
    UseChecksums,
)
from aerod.nodes.node import make_node
from aerod.procedures.candidates import SERVER_NAME
from aerod.shell import clock, systemd, tun
from aerod.shell.client_kernel import ClientKernel
from aerod.shell.control import Control
from aerod.shell.dhcp_link import DhcpLink
from aerod.shell.endpoint import BATCH
from aerod.shell.kernel import Kernel
from aerod.shell.loop import Loop
from aerod.shell.operator import Operator
from aerod.shell.relay_kernel import RelayKernel
from aerod.shell.resolver import Resolver
from aerod.shell.rtnl import Rtnl
from aerod.shell.rtnl_messages import Route
from aerod.shell.saved_state import SavedState
from aerod.shell.saving import Saving
from aerod.shell.server_kernel import ServerKernel
from aerod.shell.underlay_sockets import UnderlaySockets
from aerod.shell.underlays import usable_underlays
from aerod.shell.upkeep import Upkeep
from aerod.state.dhcp_keys import DhcpKeys

log = logging.getLogger("aerod")

_BIND_RETRY = 2.0  # seconds
_CLOCK_INTERVAL = 10.0  # seconds


class Daemon:
    """Runs the node that ``config`` describes; also the listener of its :class:`Kernel`."""

    def __init__(self, config: Config, state_dir: Path, run_dir: Path) -> None:
        self._config = config
        self._loop = Loop()
        self._counters: Counter[str] = Counter()
        self._kernel = Kernel(Rtnl())
        self._role_kernel = self._make_role_kernel()
        self.tables, self.rules = self._role_kernel.tables, self._role_kernel.rules
        self._sockets = UnderlaySockets(
            self._loop,
            config.link.port,
            config.encapsulation,
            self._datagrams_received,
            self._underlay_failed,
            self._counters,
            in_group=config.encapsulation.multicast and config.server is not None,
        )
        self._resolver = Resolver(self._loop, config.link.port)
        self._saved_state = SavedState(state_dir / "state.json", _identity(config))
        self._underlays: tuple[Underlay, ...] | None = None
        self._bind_failures: list[str] = []
        self._node_timer = self._loop.timer(self._node_due)
        self._saving = Saving(
            self._loop,
            self._saved_state,
            lambda: self._node.saved_state(self._loop.now()),
            self._counters,
        )
        self._bind_timer = self._loop.timer(self._refresh_underlays)
        self._watchdog_timer = self._loop.timer(self._watchdog)
        self._clock_timer = self._loop.timer(self._tell_time)
        self._upkeep = Upkeep(
            self._loop,
            self._role_kernel,
            config.server.kea_socket if config.server else None,
            self._learn,
            self._leases_seen,
            self._counters,
        )
        self._actions: dict[type, Callable[[Any], None]] = {
            AddRoute: self._change_kernel,
            RemoveRoute: self._change_kernel,
            EndLease: lambda action: self._upkeep.end_lease(action.prefix),
            LeasesChanged: self._leases_changed,
            FindServers: self._find_servers,
            FindServer: self._find_server,
            FindCapability: self._find_capability,
            SaveState: lambda action: action.first or self._saving.soon(),
            UseChecksums: lambda _action: self._sockets.use_checksums(),
            Notice: _log_notice,
        }
        self._run_dir = run_dir

    def _make_role_kernel(self) -> RelayKernel | ServerKernel | ClientKernel:
        interface = self._config.node.interface
        if self._config.client is None:
            kind = RelayKernel if self._config.node.role == "relay" else ServerKernel
            return kind(self._kernel, interface)
        underlays = tuple(underlay.interface for underlay in self._config.underlays)
        return ClientKernel(self._kernel, interface, underlays, self._config.client.eun_interface)

    def run(self) -> None:
        """Run until a signal; OSError or KeysError when something essential is missing."""
        keys = self._read_keys()
        self._kernel.follow(self._loop, self)
        self._tun = tun.Tun(self._open_device(self._config.node.interface))
        self._dhcp_link = self._open_dhcp_link()
        saved, warning = self._saved_state.load()
        if warning:
            log.warning("%s", warning)
        self._node = make_node(self._config, self._loop.now(), saved, SystemRandom())
        self._tell_time()
        if keys is not None:
            self._node.keys_changed(keys)
        self._operator = Operator(
            self._config,
            self._node,
            self._kernel,
            lambda: self._counters + Counter(self._tun.counters()),
            lambda: self._saving.error,
        )
        commands = self._operator.commands(self._carry_out)
        control = Control(self._loop, self._run_dir / "aerod.sock", commands, self._operator.event)
        self._publish = control.publish
        self._refresh_underlays()
        self._learn(self._reconcile())
        self._upkeep.start()
        self._loop.add(self._tun.fileno(), self._packets_from_tun)
        if self._dhcp_link is not None:
            self._loop.add(self._dhcp_link.fileno(), self._packets_from_dhcp_server)
        self._loop.handle_signals({
            signal.SIGTERM: self._loop.stop,
            signal.SIGINT: self._loop.stop,
            signal.SIGHUP: self._reload,
        })
        self._watchdog()
        systemd.notify("READY=1\nSTATUS=" + self._operator.summary())
        log.info("started: %s", self._operator.summary())
        self._loop.run()
        systemd.notify("STOPPING=1")
        self._saving.now()
        log.info("stopped")

    def _open_dhcp_link(self) -> DhcpLink | None:
        server = self._config.server
        if server is None or server.dhcp_interface is None:
            return None
        return DhcpLink(self._open_device(server.dhcp_interface, tap=True))

    def _open_device(self, name: str, tap: bool = False) -> int:
        """Take the descriptor that systemd kept for us, or attach anew and let it keep that."""
        if self._kernel.link(name) is None:
            hint = f"there is no interface {name}: run aerod --prepare as root first"
            raise tun.TunError(errno.ENODEV, hint)
        fd = systemd.stored_fds().get(name)
        if fd is None or not tun.is_attached(fd, name):
            systemd.notify(f"FDSTOREREMOVE=1\nFDNAME={name}")
            fd = tun.attach(name, tap)
            systemd.notify(f"FDSTORE=1\nFDNAME={name}", (fd,))
        return fd

    def _read_keys(self) -> DhcpKeys | None:
        authentication = self._config.authentication
        return authentication and read_keys(authentication, self._config.node.role)

    def _reload(self) -> None:
        """Read the keys again: they change while leases go on."""
        try:
            keys = self._read_keys()
        except KeysError as error:
            log.error("the keys stay as they were: %s", error)
            return
        if keys is None:
            log.warning("the configuration is only read at start: restart me")
        else:
            self._node.keys_changed(keys)
            log.info("read the keys again: %s", ", ".join(map(str, keys.ids)))

    # Feeding the node

    def _feed(self, take: Callable[..., None], *arguments: Any) -> None:
        """Give the node something; a mistake of ours must not stop all other packets."""
        try:
            take(*arguments, self._loop.now())
        except Exception:
            self._counters["internal_error"] += 1
            log.exception("%s failed", take.__qualname__)

    def _datagrams_received(self, datagrams: list[Datagram]) -> None:
        for datagram in datagrams:
            self._feed(self._node.datagram_received, datagram)
        self._carry_out()

    def _underlay_failed(self, errors: list[UnderlayError]) -> None:
        for error in errors:
            self._feed(self._node.underlay_error, error)
        self._carry_out()

    def _packets_from_tun(self, _events: int) -> None:
        try:
            for packet in self._tun.read(BATCH):
                self._feed(self._node.packet_from_tun, packet)
        except OSError as error:
            # Somebody removed it. Only root can make it anew, before the next start.
            log.error("the interface %s is gone: %s", self._config.node.interface, error)
            self._loop.stop()
        self._carry_out()

    def _packets_from_dhcp_server(self, _events: int) -> None:
        for packet in self._dhcp_link.read(BATCH):
            self._feed(self._node.packet_from_tun, packet)
        self._carry_out()

    def _node_due(self) -> None:
        self._feed(self._node.handle_timer)
        self._carry_out()

    def _servers_found(self, addresses: list[LinkLayerAddress]) -> None:
        self._feed(self._node.servers_found, addresses)
        self._carry_out()

    def _learn(self, routes: list[KernelRoute]) -> None:
        for route in routes:
            self._feed(self._node.route_changed, route)
        self._carry_out()

    # What the kernel tells

    def route_changed(self, added: bool, replaces: bool, route: Route) -> None:
        """Pass on what the routing daemon did."""
        try:
            learned = self._role_kernel.route_changed(added, replaces, route)
        except OSError as error:
            self._upkeep.refused(error)
        else:
            if learned:
                self._learn(learned)
        self._upkeep.route_changed(route.prefix)
        link = self._kernel.links.get(route.oif) if added and self._config.client else None
        if link and any(link.name == underlay.interface for underlay in self._config.underlays):
            self._feed(self._node.route_appeared, link.name)
            self._carry_out()

    def changed(self) -> None:
        """Follow changed links and addresses."""
        try:
            self._role_kernel.interfaces_changed()
        except OSError as error:
            self._upkeep.refused(error)
        self._refresh_underlays()

    def overrun(self) -> None:
        """Read everything again."""
        self._counters["kernel_notifications_lost"] += 1
        self._learn(self._reconcile())
        self._refresh_underlays()

    def _reconcile(self) -> list[KernelRoute]:
        try:
            return self._role_kernel.reconcile()
        except OSError as error:
            self._upkeep.refused(error)
            return []

    def _leases_seen(self, leases: dict[Prefix, bytes], started: float) -> None:
        self._feed(self._node.leases_seen, leases, started)
        self._carry_out()

    def _refresh_underlays(self) -> None:
        underlays = usable_underlays(self._config.underlays, self._kernel, self._leased())
        failures = self._sockets.open(underlays)
        if failures:
            self._bind_timer.set(self._loop.now() + _BIND_RETRY)
        for failure in failures:
            if failure not in self._bind_failures:
                log.warning("cannot listen on %s", failure)
        self._bind_failures = failures
        if underlays != self._underlays:
            self._underlays = underlays
            self._feed(self._node.underlays_changed, underlays)
            self._carry_out()

    def _leased(self) -> tuple[Prefix, ...]:
        return self._role_kernel.acps if isinstance(self._role_kernel, ClientKernel) else ()

    # Carrying out what the node wants

    def _carry_out(self) -> None:
        output = self._node.take_output()
        if SaveState(first=True) in output.actions:
            self._saving.now()
        for datagram in output.datagrams:
            self._sockets.send(datagram)
        for packet in output.packets:
            to_server = self._dhcp_link is not None and self._dhcp_link.takes(packet)
            (self._dhcp_link if to_server else self._tun).write(packet)
        for action in output.actions:
            self._actions[type(action)](action)
        if output.datagrams and (errors := self._sockets.take_errors()):
            self._underlay_failed(errors)
        self._node_timer.set(self._node.timer_due())

    def _change_kernel(self, action: Action) -> None:
        try:
            self._role_kernel.perform(action)
        except OSError as error:
            self._upkeep.refused(error)

    def _leases_changed(self, action: LeasesChanged) -> None:
        self._change_kernel(action)
        self._operator.leases_changed(action.prefixes)
        self._publish(self._operator.event())

    def _find_servers(self, action: FindServers) -> None:
        self._resolver.find(action.name, lambda: self._underlays or (), self._servers_found)

    def _find_server(self, action: FindServer) -> None:
        def found(addresses: list[LinkLayerAddress]) -> None:
            self._feed(self._node.server_found, action.id, addresses)
            self._carry_out()

        name = f"{action.id:x}._server.{SERVER_NAME}{self._config.link.domain}"
        self._resolver.find(name, lambda: self._underlays or (), found)

    def _find_capability(self, action: FindCapability) -> None:
        def found(domain: str | None, ttl: float | None) -> None:
            self._feed(self._node.capability_found, action.name, domain, ttl)
            self._carry_out()

        self._resolver.find_pointer(action.name, lambda: self._underlays or (), found)

    def _tell_time(self) -> None:
        """Let the node follow a wall clock that is set while it runs."""
        self._node.clock_set(clock.to_epoch())
        self._clock_timer.set(self._loop.now() + _CLOCK_INTERVAL)

    def _watchdog(self) -> None:
        interval = systemd.watchdog_interval()
        if interval is not None:
            systemd.notify("WATCHDOG=1")
            self._watchdog_timer.set(self._loop.now() + interval)


def _identity(config: Config) -> dict[str, Any]:
    """Whose state it is; with other values saved state would be wrong."""
    return {
        "role": config.node.role,
        "id": config.node.id,
        "domain": config.link.domain,
        "duid": config.client.duid.hex() if config.client else None,
    }


def _log_notice(notice: Notice) -> None:
    log.log(logging.WARNING if notice.level == "warning" else logging.INFO, "%s", notice.text)
