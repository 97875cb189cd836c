# SPDX-License-Identifier: GPL-3.0-or-later
"""The boundary between the sans-IO core and the shell that owns sockets, clock and netlink.

The shell feeds a :class:`aerod.nodes.node.Node` with

* ``datagram_received(datagram, now)``   an encapsulated packet from the underlay,
* ``packet_from_tun(packet, now)``       a packet the kernel sent into the AERO interface,
* ``handle_timer(now)``                  at the time ``timer_due()`` named,
* ``underlays_changed(underlays, now)``  the usable underlying interfaces and their addresses,
* ``route_changed(route, now)``          a kernel route made by the routing daemon,
* ``servers_found(addresses, now)``      the answer to :class:`FindServers`,
* ``capability_found(name, domain, ttl, now)``  the answer to :class:`FindCapability`,
* ``keys_changed(keys)``                the keys of DHCPv6, before anything else where there are any,
* ``clock_set(offset)``                  what to add to ``now`` to get seconds since 1970,
* ``server_found(id, addresses, now)``    the answer to :class:`FindServer`,
* ``leases_seen(leases, started, now)``   all leases of the DHCPv6 server of this host,
* ``underlay_error(error, now)``         what the underlay says about a datagram of ours,
* ``route_appeared(interface, now)``     the host has a new route over an underlay,

and after each call carries out what ``take_output()`` returns.  ``now`` is monotonic
seconds as a float; the core never reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aerod.address import LinkLayerAddress, Prefix


@dataclass(frozen=True, slots=True)
class Underlay:
    """An underlying interface that can carry tunnel packets now.

    ``addresses`` are the interface's own 16-byte addresses (IPv4 mapped), best first; those that are
    ``deprecated`` (RFC 4862) are about to go.  ``mtu`` is the interface's MTU in bytes.
    """

    interface: str
    link_id: int
    preference: int
    addresses: tuple[bytes, ...]
    mtu: int = 1500
    deprecated: frozenset[bytes] = frozenset()


@dataclass(slots=True)
class OuterHeader:
    """Fields of the outer IP header that AERO copies (protocol section 3.10)."""

    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    dont_fragment: bool = False


@dataclass(slots=True)
class Datagram:
    """A packet on the underlay: ``payload`` is all that follows the UDP header.

    Without UDP it is all that follows the IP header, whose protocol is ``protocol``; ports are 0 then.
    """

    payload: bytes
    local: LinkLayerAddress
    remote: LinkLayerAddress
    outer: OuterHeader = field(default_factory=OuterHeader)
    link_id: int = 0
    protocol: int = 17


@dataclass(frozen=True, slots=True)
class UnderlayError:
    """An error about a datagram from ``local`` to ``remote``.

    ``kind`` is icmp or icmp6, with ``type``, ``code`` and ``mtu`` of the message (0 if it has none), or
    local, when this host found it too big.  ``quote`` is the start of the datagram's payload.
    """

    kind: str
    type: int
    code: int
    mtu: int
    local: LinkLayerAddress
    remote: LinkLayerAddress
    quote: bytes
    protocol: int = 17


@dataclass(frozen=True, slots=True)
class KernelRoute:
    """A route of the routing daemon: an ACP at a Relay, the default at a Server.

    ``via`` is the 16-byte link-local next hop, ``None`` when the route is gone.
    """

    prefix: Prefix
    via: bytes | None


@dataclass(frozen=True, slots=True)
class AddRoute:
    """Install ``prefix`` toward the AERO interface in the main table (a Server's Client)."""

    prefix: Prefix


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Take back an :class:`AddRoute`."""

    prefix: Prefix


@dataclass(frozen=True, slots=True)
class EndLease:
    """Delete the lease of ``prefix`` at the DHCPv6 server of this host: nobody has it."""

    prefix: Prefix


@dataclass(frozen=True, slots=True)
class LeasedPrefix:
    """A delegated prefix; lifetimes are seconds from now."""

    prefix: Prefix
    preferred: float
    valid: float


@dataclass(frozen=True, slots=True)
class LeasesChanged:
    """All prefixes a Client holds now, from all its Servers together.

    The shell keeps AERO addresses, the ``unreachable`` route of each ACP and the default
    route of table 8060 equal to this list, and tells ``watch`` subscribers.
    """

    prefixes: tuple[LeasedPrefix, ...]


@dataclass(frozen=True, slots=True)
class FindServers:
    """Ask the DNS for the addresses of ``name``; answered by ``servers_found``."""

    name: str


@dataclass(frozen=True, slots=True)
class FindCapability:
    """Ask the DNS for the PTR record of ``name``; answered by ``capability_found``.

    The answer is the domain and its TTL in seconds, None and a TTL if there is no such record,
    None and None if nobody answered.
    """

    name: str


@dataclass(frozen=True, slots=True)
class FindServer:
    """Ask the DNS where the Server with ``fe80::id`` is (D25); answered by ``server_found``."""

    id: int


@dataclass(frozen=True, slots=True)
class SaveState:
    """Something that must survive a restart changed; the shell saves ``Node.saved_state()``.

    That can wait a moment, unless it comes ``first``: then before anything of the same output is done.
    """

    first: bool = False


@dataclass(frozen=True, slots=True)
class UseChecksums:
    """Send UDP checksums from now on wherever they are due, even if configured never to."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A line for the log, at ``level`` info or warning."""

    level: str
    text: str


Action = (
    AddRoute
    | RemoveRoute
    | EndLease
    | LeasesChanged
    | FindServers
    | FindServer
    | FindCapability
    | SaveState
    | UseChecksums
    | Notice
)


@dataclass(slots=True)
class Output:
    """What the shell has to do: send ``datagrams``, write ``packets`` to the TUN, run ``actions``."""

    datagrams: list[Datagram] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
