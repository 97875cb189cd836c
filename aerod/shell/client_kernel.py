# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Client has to do with the kernel: addresses, routes and rules follow its leases.

No AERO default route is ever in the main table, or the tunnel's own packets would enter the tunnel.
The default toward the link is in table 8060, and these rules lead there (D15):

    8060  of this host, from each underlay address      -> main
    8061  everything, but not from the EUN              -> main, its default route left out
    8061  from the EUN, to each ACP or link-local       -> main, its default route left out
    8062  everything                                    -> 8060
    8063  from the EUN                                  -> unreachable

So what comes from the EUN goes into the tunnel, where its source is looked at, or nowhere: a host
there gets no service that its prefix does not give it, whatever else this host is connected to
(section 6).

Each ACP is ``unreachable`` with the worst metric from lease to loss, so that addresses nobody
uses do not loop between Client and Server (RFC 7084, WPD-5).
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aerod.address import Prefix, is_link_local
from aerod.interface import Action, KernelRoute, LeasesChanged
from aerod.shell.host_address import host_address
from aerod.shell.kernel import Kernel
from aerod.shell.rtnl_messages import (
    AERO_TABLE,
    AEROD_PROTOCOL,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_TENTATIVE,
    MAIN_TABLE,
    UNREACHABLE,
    Address,
    Route,
    Rule,
    family_of,
)
from aerod.shell.underlays import is_underlay_address

RULE_UNDERLAY, RULE_MAIN, RULE_AERO, RULE_EUN = 8060, 8061, 8062, 8063
RULES = range(RULE_UNDERLAY, RULE_EUN + 1)
_DEFAULT_METRIC = 1024
_WORST_METRIC = 0xFFFFFFFF
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_DEFAULTS = {socket.AF_INET: Prefix.parse("0.0.0.0/0"), socket.AF_INET6: Prefix.parse("::/0")}
_LINK_LOCAL = Prefix.parse("fe80::/10")
_GONE = {errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL}


@dataclass(frozen=True, slots=True)
class Interfaces:
    """The indexes of the AERO interface and ``lo``, and the names of the underlays."""

    aero: int
    loopback: int
    underlays: tuple[int, ...]


@dataclass(slots=True)
class ClientState:
    """Everything of a Client's that is in the kernel."""

    addresses: set[tuple[int, bytes, int]] = field(default_factory=set)  # (interface, address, length)
    routes: set[Route] = field(default_factory=set)
    rules: set[Rule] = field(default_factory=set)


def wanted_state(
    acps: tuple[Prefix, ...], present: Iterable[Address], interfaces: Interfaces, eun: str | None
) -> ClientState:
    """What must be in the kernel for these ACPs and the addresses ``present`` on all interfaces.

    ``eun`` is the interface of the end user network, None if there is none.
    """
    state = ClientState()
    usable = {a.ip for a in present if not a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)}
    for acp in acps:
        state.addresses.add((interfaces.aero, acp.aero_address, 128))
        state.routes.add(Route(acp, None, metric=_WORST_METRIC, type=UNREACHABLE))
        if eun is None:
            address = host_address(acp)
            state.addresses.add((interfaces.loopback, address, 32 if acp.is_ipv4 else 128))
            usable.add(address)
    for family in _FAMILIES:
        leased = [acp for acp in acps if acp.is_ipv4 == (family == socket.AF_INET)]
        if leased:
            default = Route(_DEFAULTS[family], interfaces.aero, table=AERO_TABLE, metric=_DEFAULT_METRIC)
            state.routes.add(default._replace(source=_source(leased, usable)))
        state.rules |= _rules(family, leased, eun)
    for address in present:
        if address.index in interfaces.underlays and is_underlay_address(address, acps):
            # Only what this host sends: in the EUN anybody can write its address there.
            state.rules.add(Rule(family_of(address.ip), RULE_UNDERLAY, MAIN_TABLE, address.ip, iif="lo"))
    return state


def _rules(family: int, leased: list[Prefix], eun: str | None) -> set[Rule]:
    """The rules that do not depend on the underlays."""
    main = Rule(family, RULE_MAIN, MAIN_TABLE, suppress=0, iif=eun, inverted=eun is not None)
    rules = {main, Rule(family, RULE_AERO, AERO_TABLE)}
    if eun is not None:
        own = [*leased, *([_LINK_LOCAL] if family == socket.AF_INET6 else [])]
        rules |= {main._replace(destination=prefix, inverted=False) for prefix in own}
        rules.add(Rule(family, RULE_EUN, None, iif=eun))
    return rules


def _source(leased: list[Prefix], usable: set[bytes]) -> bytes | None:
    """The address inside the first ACP that has any on this host, its first host address if that is one."""
    for acp in leased:
        inside = [address for address in usable if acp.contains(address)]
        if inside:
            return host_address(acp) if host_address(acp) in inside else min(inside)
    return None


class ClientKernel:
    """Keeps the kernel equal to :func:`wanted_state`."""

    tables = (MAIN_TABLE, AERO_TABLE)
    rules = True
    dumps = ()

    def __init__(self, kernel: Kernel, interface: str, underlays: tuple[str, ...], eun: str | None) -> None:
        self._kernel = kernel
        self._interface = interface
        self._underlays = underlays
        self._eun = eun
        self._acps: tuple[Prefix, ...] = ()
        # Whether the kernel refused something last time.
        self.wrong = False

    @property
    def acps(self) -> tuple[Prefix, ...]:
        """The ACPs that are leased now."""
        return self._acps

    def perform(self, action: Action) -> None:
        """Follow the leases."""
        if not isinstance(action, LeasesChanged):
            raise TypeError(f"a Client cannot perform {action}")
        self._acps = tuple(leased.prefix for leased in action.prefixes)
        self.reconcile()

    def interfaces_changed(self) -> None:
        """Follow the addresses: sources of the default routes, rules of the underlays."""
        self.reconcile()

    def route_changed(self, added: bool, replaces: bool, route: Route) -> list[KernelRoute]:
        """Put back what somebody else removed."""
        if not added and route.protocol == AEROD_PROTOCOL:
            self.reconcile()
        return []

    def reconcile(self) -> list[KernelRoute]:
        """Add what is missing in the kernel and remove what is too much; nothing for the node."""
        self.wrong = True
        interfaces = self._interfaces()
        wanted = wanted_state(self._acps, self._kernel.addresses, interfaces, self._eun)
        present = self._present(interfaces)
        rtnl = self._kernel.rtnl
        _adjust(present.rules, wanted.rules, rtnl.add_rule, rtnl.remove_rule)
        _adjust(
            present.addresses,
            wanted.addresses,
            lambda key: rtnl.add_address(Address(*key, IFA_F_NODAD)),
            lambda key: rtnl.remove_address(Address(*key)),
        )
        _adjust(present.routes, wanted.routes, rtnl.add_route, rtnl.remove_route, _replaced_by)
        self.wrong = False
        return []

    def swept(self, _routes: Iterable[Route], _touched: Any, _whole: bool) -> list[KernelRoute]:
        """A Client has so little in the kernel that all of it is read."""
        return self.reconcile()

    def repair(self) -> int:
        """Try again what the kernel refused; what is found to be wrong is repaired at once."""
        self.reconcile()
        return 0

    def _interfaces(self) -> Interfaces:
        aero, loopback = self._kernel.link(self._interface), self._kernel.link("lo")
        if aero is None or loopback is None:
            raise OSError(errno.ENODEV, f"there is no interface {self._interface}")
        links = [self._kernel.link(name) for name in self._underlays]
        return Interfaces(aero.index, loopback.index, tuple(link.index for link in links if link))

    def _present(self, interfaces: Interfaces) -> ClientState:
        rtnl = self._kernel.rtnl
        state = ClientState()
        for address in self._kernel.addresses:
            ours = address.index == interfaces.aero and is_link_local(address.ip)
            ours |= address.index == interfaces.loopback and address.protocol == AEROD_PROTOCOL
            if ours:
                state.addresses.add((address.index, address.ip, address.length))
        for family in _FAMILIES:
            state.rules |= {r for r in rtnl.rules(family) if r.priority in RULES}
            state.routes |= set(rtnl.routes(family, AERO_TABLE, AEROD_PROTOCOL))
            state.routes |= set(rtnl.routes(family, MAIN_TABLE, AEROD_PROTOCOL))
        return state


def _replaced_by(route: Route) -> tuple:
    """Routes with the same of this take each other's place when added."""
    return route.prefix, route.table, route.metric


def _same(item: Any) -> Any:
    return item


def _adjust(
    present: set, wanted: set, add: Callable, remove: Callable, replaced_by: Callable = _same
) -> None:
    """New before old, so that a default route that changes its source is never missing."""
    for item in wanted - present:
        with contextlib.suppress(FileExistsError):
            add(item)
    kept = {replaced_by(item) for item in wanted}
    for item in present:
        if replaced_by(item) not in kept:
            try:
                remove(item)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
