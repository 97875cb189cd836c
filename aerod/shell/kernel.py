# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's links, addresses and routes, followed from its notifications."""

from __future__ import annotations

from typing import Protocol

from aerod.shell import rtnl_messages as messages
from aerod.shell.loop import Loop
from aerod.shell.rtnl import Monitor, Overrun, Rtnl
from aerod.shell.rtnl_messages import Address, Link, Route

_GROUPS = (
    messages.GROUP_LINK
    | messages.GROUP_IPV4_ADDRESS
    | messages.GROUP_IPV6_ADDRESS
    | messages.GROUP_IPV4_ROUTE
    | messages.GROUP_IPV6_ROUTE
)
_ROUTE_KINDS = (messages.NEWROUTE, messages.DELROUTE)
_RULES = messages.GROUP_IPV4_RULE | messages.GROUP_IPV6_RULE


class Listener(Protocol):
    """What a :class:`Kernel` tells of changes."""

    tables: tuple[int, ...]  # of which routes it wants to hear
    rules: bool  # whether it wants to hear when rules are removed

    def route_changed(self, added: bool, replaces: bool, route: Route) -> None:
        """A route was added, perhaps in place of others with its metric, or removed."""

    def changed(self) -> None:
        """Links, addresses or rules changed."""

    def overrun(self) -> None:
        """Changes were lost: links and addresses were read again, routes and rules must be."""


class Kernel:
    """A copy of the kernel's links and addresses, kept equal from :meth:`follow` on."""

    def __init__(self, rtnl: Rtnl) -> None:
        self.rtnl = rtnl
        self.links: dict[int, Link] = {}
        self._addresses: dict[tuple[int, bytes], Address] = {}

    def follow(self, loop: Loop, listener: Listener) -> None:
        """Read all and tell ``listener`` of every change from now on."""
        self._listener = listener
        self._tables = frozenset(messages.table_byte(table) for table in listener.tables)
        self._monitor = Monitor(_GROUPS | (_RULES if listener.rules else 0))
        self._read()
        loop.add(self._monitor.fileno(), self._receive)

    @property
    def addresses(self) -> list[Address]:
        """All addresses of all interfaces."""
        return list(self._addresses.values())

    def link(self, name: str) -> Link | None:
        """The interface called ``name``, if there is one."""
        return next((link for link in self.links.values() if link.name == name), None)

    def addresses_of(self, name: str) -> list[Address]:
        """The addresses of the interface called ``name``."""
        link = self.link(name)
        return [address for address in self.addresses if link and address.index == link.index]

    def _read(self) -> None:
        self.links = {link.index: link for link in self.rtnl.links()}
        self._addresses = {(address.index, address.ip): address for address in self.rtnl.addresses()}

    def _receive(self, _events: int) -> None:
        try:
            changes = self._monitor.receive()
        except Overrun:
            self._read()
            self._listener.overrun()
            return
        before = (dict(self.links), dict(self._addresses))
        for kind, flags, data in changes:
            self._apply(kind, flags, data)
        rule_removed = any(kind == messages.DELRULE for kind, _flags, _data in changes)
        if rule_removed or before != (self.links, self._addresses):
            self._listener.changed()

    def _apply(self, kind: int, flags: int, data: bytes) -> None:
        if kind == messages.NEWLINK:
            link = messages.read_link(data)
            self.links[link.index] = link
        elif kind == messages.DELLINK:
            self.links.pop(messages.read_link(data).index, None)
        elif kind in (messages.NEWADDR, messages.DELADDR):
            address = messages.read_address(data)
            self._addresses.pop((address.index, address.ip), None)
            if kind == messages.NEWADDR:
                self._addresses[address.index, address.ip] = address
        elif kind in _ROUTE_KINDS and messages.route_table_byte(data) in self._tables:
            replaces = bool(flags & messages.REPLACE)
            self._listener.route_changed(kind == messages.NEWROUTE, replaces, messages.read_route(data))
