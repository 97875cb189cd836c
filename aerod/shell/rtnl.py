# SPDX-License-Identifier: GPL-3.0-or-later
"""The rtnetlink sockets: requests to the kernel, and notifications from it.

They are not pyroute2's own, which differ between the versions in use (0.7 of Debian 12
blocks, 0.9 brings an event loop).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from aerod.shell import rtnl_messages as messages
from aerod.shell.rtnl_messages import MAIN_TABLE, Address, Link, Route, Rule

_SOL_NETLINK, _STRICT_CHECK = 270, 12
_NEWNEIGH, _NUD_PERMANENT = 28, 0x80  # linux/rtnetlink.h, linux/neighbour.h
_PIECE = 1 << 15  # bytes, a millisecond's work
_SO_RCVBUFFORCE = 33  # beyond the system's limit, for which CAP_NET_ADMIN is enough


class Overrun(Exception):
    """The kernel dropped notifications; all state must be read again."""


class Rtnl:
    """A socket for requests; each call waits for the kernel's answer, OSError if it refuses."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)  # dumps are filtered by the kernel
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, body: bytes, kind: int, flags: int) -> None:
        self._sequence += 1
        self._socket.send(messages.request(kind, flags, self._sequence, body))

    def _replies(self) -> Iterator[tuple[int, bytes]]:
        """Yield (type, message) up to the acknowledgement; OSError when it is an error."""
        interrupted = False
        while True:
            for kind, flags, sequence, data in messages.split(self._socket.recv(1 << 18)):
                if sequence != self._sequence:
                    continue
                interrupted |= bool(flags & messages.DUMP_INTERRUPTED)
                if kind in (messages.ERROR, messages.DONE):
                    code = messages.error_code(data)
                    if code:
                        raise OSError(code, os.strerror(code))
                    if interrupted:
                        raise OSError(errno.EINTR, "the table changed while it was read")
                    return
                yield kind, data

    def _change(self, body: bytes, kind: int, flags: int = 0) -> None:
        self._send(body, kind, flags | messages.ACK)
        for _reply in self._replies():
            pass

    def _dump(self, body: bytes, kind: int) -> list[bytes]:
        """All messages of a dump, read again when the table changed meanwhile."""
        for _attempt in range(10):
            self._send(body, kind, messages.DUMP)
            try:
                return [data for reply, data in self._replies() if reply == kind - 2]
            except OSError as error:
                if error.errno != errno.EINTR:
                    raise
        raise OSError(errno.EINTR, "the table changed each time it was read")

    def links(self) -> list[Link]:
        """All interfaces."""
        return [messages.read_link(data) for data in self._dump(messages.body(ifinfmsg()), messages.GETLINK)]

    def addresses(self) -> list[Address]:
        """All addresses of all interfaces."""
        dump = self._dump(messages.body(messages.AddressMessage()), messages.GETADDR)
        return [messages.read_address(data) for data in dump]

    def routes(self, family: int, table: int = MAIN_TABLE, protocol: int = 0) -> list[Route]:
        """The routes of a table, of one routing protocol unless that is 0."""
        dump = messages.routes_request(family, table, protocol)
        try:
            return [messages.read_route(data) for data in self._dump(dump, messages.GETROUTE)]
        except FileNotFoundError:
            return []  # a table comes into being with its first route

    def rules(self, family: int) -> list[Rule]:
        """The policy rules of a family."""
        message = messages.RuleMessage()
        message["family"] = family
        return [messages.read_rule(data) for data in self._dump(messages.body(message), messages.GETRULE)]

    def set_link(self, index: int, up: bool, mtu: int | None = None) -> None:
        """Bring an interface up or down, and set its MTU in bytes."""
        message = ifinfmsg()
        message["index"] = index
        message["change"] = messages.IFF_UP
        message["flags"] = messages.IFF_UP if up else 0
        message["attrs"] = [] if mtu is None else [("IFLA_MTU", mtu)]
        self._change(messages.body(message), messages.NEWLINK)

    def add_neighbor(self, index: int, ip: bytes, address: bytes) -> None:
        """Tell the kernel for good that an IPv6 neighbor has the link-layer address ``address``."""
        message = ndmsg()
        message["family"] = socket.AF_INET6
        message["ifindex"] = index
        message["state"] = _NUD_PERMANENT
        text = (socket.inet_ntop(socket.AF_INET6, ip), address.hex(":"))
        message["attrs"] = [("NDA_DST", text[0]), ("NDA_LLADDR", text[1])]
        self._change(messages.body(message), _NEWNEIGH, messages.CREATE | messages.REPLACE)

    def add_address(self, address: Address) -> None:
        """Add an address or give it new lifetimes."""
        self._change(messages.address_message(address), messages.NEWADDR, messages.CREATE | messages.REPLACE)

    def remove_address(self, address: Address) -> None:
        """Remove an address."""
        self._change(messages.address_message(address), messages.DELADDR)

    def add_route(self, route: Route) -> None:
        """Add a route, in place of one to the same prefix with the same metric."""
        self._change(messages.route_message(route), messages.NEWROUTE, messages.CREATE | messages.REPLACE)

    def append_route(self, route: Route) -> None:
        """Add a route beside those to the same prefix with the same metric on other interfaces."""
        self._change(messages.route_message(route), messages.NEWROUTE, messages.CREATE | messages.APPEND)

    def remove_route(self, route: Route) -> None:
        """Remove a route."""
        self._change(messages.route_message(route), messages.DELROUTE)

    def add_rule(self, rule: Rule) -> None:
        """Add a rule."""
        self._change(messages.rule_message(rule), messages.NEWRULE, messages.CREATE)

    def remove_rule(self, rule: Rule) -> None:
        """Remove a rule."""
        self._change(messages.rule_message(rule), messages.DELRULE)


class RouteDump:
    """Reads the routes of a table a piece at a time, for a loop that has other things to do."""

    def __init__(self, family: int, table: int, protocol: int) -> None:
        self.whole = True  # False when the table changed while it was read, so that some may lack
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        body = messages.routes_request(family, table, protocol)
        self._socket.send(messages.request(messages.GETROUTE, messages.DUMP, 0, body))

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def receive(self) -> tuple[list[Route], bool]:
        """(the next routes, whether there are more); OSError when the kernel refuses."""
        routes = []
        for kind, flags, _sequence, data in messages.split(self._socket.recv(_PIECE)):
            self.whole &= not flags & messages.DUMP_INTERRUPTED
            if kind in (messages.ERROR, messages.DONE):
                code = messages.error_code(data)
                if code not in (0, errno.ENOENT):  # a table comes into being with its first route
                    raise OSError(code, os.strerror(code))
                return routes, False
            routes.append(messages.read_route(data))
        return routes, True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Monitor:
    """A non-blocking socket that hears of changes in the given groups."""

    def __init__(self, groups: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        self._socket.bind((0, groups))

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def receive(self) -> list[tuple[int, int, bytes]]:
        """(type, flags, message) of all that is waiting; Overrun when some were lost."""
        changes = []
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return changes
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    raise Overrun from error
                raise
            changes += [(kind, flags, message) for kind, flags, _sequence, message in messages.split(data)]
