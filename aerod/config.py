# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of one node, ``/etc/aero/aerod.toml``, checked whole before anything starts.

:func:`load` returns a :class:`Config` or raises one :class:`ConfigError` that lists every
mistake of the file with its key, its value and what is allowed there.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from aerod.address import LinkLayerAddress, Prefix
from aerod.config_authentication import AuthenticationConfig, parse_authentication
from aerod.config_by_hand import ConfiguredClient, parse_acps, parse_configured_client
from aerod.config_encapsulation import (
    EncapsulationConfig,
    SignaturesConfig,
    parse_encapsulation,
    parse_signatures,
)
from aerod.tables import Table
from aerod.wire.carriage import PORTS

ROLES = ("relay", "server", "client")
VENDOR_OPTIONS = ("rfc8415", "draft52")
REDIRECT_CLIENTS = ("never", "unreachable", "always")
DUID_MAX = 128  # RFC 8415 section 11.1: at most 128 octets, the type code not counted
IPV6_MIN_MTU = 1280
ID_MAX = 0xFFFFFFFF
LONGEST_TIMER = 3600

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,240}}$)({_LABEL}\.)*{_LABEL}")
_ABSOLUTE_PATH = re.compile(r"/\S{1,106}")
_INTERFACE = re.compile(r"[^\s/:]{1,15}")


class ConfigError(ValueError):
    """A configuration that cannot be used; ``errors`` holds one line for each mistake."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """``[node]``: ``id`` is the ID of fe80::ID on Relays and Servers, ``None`` on Clients."""

    name: str
    role: str
    id: int | None
    interface: str


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """``[link]``: what all nodes of the AERO link have in common; ``port`` is 0 without UDP.

    ``keepalive`` is how many seconds it may be quiet between a Client and a Server, ``move_interval``
    how soon a Client may move again.  A prefix that ended ``damping_limit`` times within
    ``damping_window`` seconds is announced that much later, with limit 0 at once.
    """

    domain: str
    asps: tuple[Prefix, ...]
    port: int
    vendor_options: str
    forward_time: float = 30.0
    accept_time: float = 40.0
    max_retry: int = 3
    require_timestamp: bool = False
    require_nonce: bool = False
    capability_suffix: str = "aero.linkupnetworks.net"
    keepalive: float = 25.0
    move_interval: float = 60.0
    damping_limit: int = 3
    damping_window: float = 60.0


@dataclass(frozen=True, slots=True)
class UnderlayConfig:
    """``[[underlay]]``: no ``addresses`` means the global addresses the interface has (Clients)."""

    interface: str
    link_id: int
    preference: int
    addresses: tuple[LinkLayerAddress, ...]


@dataclass(frozen=True, slots=True)
class NeighborConfig:
    """``[[neighbor]]``: a permanent neighbor, fe80::ID at its link-layer addresses."""

    name: str
    id: int
    addresses: tuple[LinkLayerAddress, ...]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """``[server]``: ``release_grace`` is seconds a left Client's packets are still passed on.

    ``redirect_clients`` says for which Clients it has packets sent to itself that others would send
    straight to them: none, those that others may not reach, or all.
    ``others`` are Servers that need not be looked up by their ID: ``[[other_server]]``.
    ``configured`` are Clients that do not use DHCPv6: ``[[configured_client]]``.
    ``dhcp_interface`` is a TAP device for a DHCPv6 server that does not listen on the AERO interface.
    ``kea_socket`` is Kea's control socket, None for a DHCPv6 server whose leases cannot be asked for.
    """

    release_grace: float
    redirect_clients: str = "never"
    others: tuple[NeighborConfig, ...] = ()
    configured: tuple[ConfiguredClient, ...] = ()
    dhcp_interface: str | None = None
    kea_socket: str | None = None


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """``[client]``: ``prefixes`` is the number of IA_PDs, with IAID 1 to ``prefixes``.

    ``prefix_lengths`` are what the Client expects of them, in DHCPv6's terms: an IPv4 /28 is 124 there.

    No ``server_addresses`` means ``linkupnetworks.<domain>`` in the DNS; no ``eun_interface``
    means that the Client has no end user network.  With ``route_optimization`` it asks others for
    leave to send straight to them, with ``accept_redirects`` it gives that leave.  A Client with
    ``acps`` uses no DHCPv6, its Servers are its ``[[neighbor]]`` entries; one with ``synthesized_ra``
    tells its own network stack of its prefixes and of a default router.
    """

    duid: bytes
    prefixes: int
    server_count: int
    server_addresses: tuple[LinkLayerAddress, ...]
    eun_interface: str | None
    eun_mtu: int
    route_optimization: bool = True
    accept_redirects: bool = True
    capability_lookup: bool = False
    acps: tuple[Prefix, ...] = ()
    synthesized_ra: bool = False
    prefix_lengths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything in ``aerod.toml``; ``server`` and ``client`` are ``None`` on other roles."""

    node: NodeConfig
    link: LinkConfig
    underlays: tuple[UnderlayConfig, ...]
    neighbors: tuple[NeighborConfig, ...]
    server: ServerConfig | None
    client: ClientConfig | None
    encapsulation: EncapsulationConfig = EncapsulationConfig()
    signatures: SignaturesConfig | None = None
    authentication: AuthenticationConfig | None = None


def load(path: str | Path) -> Config:
    """Read and check the file at ``path``; raises :class:`ConfigError`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Config:
    """Check the TOML ``text``; ``source`` names it in errors; raises :class:`ConfigError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{source}: not valid TOML: {error}"]) from error
    errors: list[str] = []
    top = Table(document, "", errors)
    link_table = top.table("link", required=True)
    role = str(document.get("node", {}).get("role")) if isinstance(document.get("node"), dict) else ""
    encapsulation = parse_encapsulation(link_table)
    signatures = parse_signatures(link_table, top, encapsulation.encapsulation, role)
    link = _link(link_table, encapsulation.encapsulation)
    node = _node(top.table("node", required=True), link.asps)
    underlays = tuple(_underlay(table, node.role, link.port) for table in top.tables("underlay"))
    neighbors = tuple(_neighbor(table, link.port, link.asps) for table in top.tables("neighbor"))
    authentication = None
    if "dhcp_authentication" in top and node.role in ("server", "client"):
        authentication = parse_authentication(top.table("dhcp_authentication", required=True), node.role)
    others, configured = (), ()
    if node.role == "server":
        others = tuple(_neighbor(table, link.port, link.asps) for table in top.tables("other_server"))
        configured = tuple(_configured_client(table, link) for table in top.tables("configured_client"))
    server = top.table("server", required=node.role == "server")
    client = top.table("client", required=node.role == "client")
    config = Config(
        node=node,
        link=link,
        underlays=underlays,
        neighbors=neighbors,
        server=_server(server, others, configured) if node.role == "server" else None,
        client=_client(client, link) if node.role == "client" else None,
        encapsulation=encapsulation,
        signatures=signatures,
        authentication=authentication,
    )
    top.refuse_rest(f"in a file for a {node.role}" if node.role in ROLES else "here")
    errors.extend(_contradictions(config))
    if errors:
        raise ConfigError([f"{source}: {error}" for error in errors])
    return config


def _node(table: Table, asps: tuple[Prefix, ...]) -> NodeConfig:
    role = table.choice("role", ROLES)
    if role == "client":
        number = None
        table.refuse("id", "a Client has none, its AERO address comes from its prefix")
    else:
        number = _id(table, asps)
    node = NodeConfig(
        name=table.matching("name", re.compile(r"\S+"), "a host name"),
        role=role,
        id=number,
        interface=table.matching("interface", _INTERFACE, "an interface name of 1 to 15 characters", "aero0"),
    )
    table.refuse_rest()
    return node


def _id(table: Table, asps: tuple[Prefix, ...]) -> int:
    """The ID of fe80::ID: it must not be able to collide with an AERO address (section 3.3)."""
    number = table.integer("id", 1, ID_MAX)
    for asp in asps:
        if number and not asp.is_ipv4 and asp.contains(number << 64):
            table.error("id", number, f"fe80::{number:x} is an AERO address of {asp}: choose another ID")
    return number


def _link(table: Table, kind: str) -> LinkConfig:
    link = LinkConfig(
        domain=table.matching("domain", _DOMAIN, "a domain name such as example.net"),
        asps=table.each("asps", _asp, "a prefix such as 2001:db8::/32 with no host bits set", least=1),
        port=_port(table, PORTS.get(kind, 0)),
        vendor_options=table.choice("vendor_options", VENDOR_OPTIONS, "rfc8415"),
        forward_time=table.number("forward_time", 3, LONGEST_TIMER, 30.0),
        accept_time=table.number("accept_time", 3, LONGEST_TIMER, 40.0),
        max_retry=table.integer("max_retry", 1, 100, 3),
        require_timestamp=table.truth("require_timestamp", False),
        require_nonce=table.truth("require_nonce", False),
        capability_suffix=table.matching(
            "capability_suffix", _DOMAIN, "a domain name", "aero.linkupnetworks.net"
        ),
        keepalive=table.number("keepalive", 1, LONGEST_TIMER, 25.0),
        move_interval=table.number("move_interval", 0, LONGEST_TIMER, 60.0),
        damping_limit=table.integer("damping_limit", 0, 1000, 3),
        damping_window=table.number("damping_window", 1, LONGEST_TIMER, 60.0),
    )
    if link.forward_time >= link.accept_time:
        # What is still sent must still be taken (draft section 3.8).
        table.error("accept_time", link.accept_time, f"must be above forward_time, {link.forward_time:g}")
    table.refuse_rest()
    return link


def _port(table: Table, default: int) -> int:
    if default:
        return table.integer("port", 1, 65535, default)
    table.refuse("port", "raw IP has no UDP port")
    return 0


def _asp(text: str) -> Prefix:
    prefix = Prefix.parse(text)
    if not prefix.is_ipv4 and prefix.length > 64:
        raise ValueError("an IPv6 prefix longer than /64 has no AERO address")
    return prefix


def _addresses(table: Table, key: str, port: int, least: int) -> tuple[LinkLayerAddress, ...]:
    allowed = "a global or private unicast address, IPv4 or IPv6"
    return table.each(key, lambda text: _underlay_address(text, port), allowed, least=least)


def _underlay_address(text: str, port: int) -> LinkLayerAddress:
    address = LinkLayerAddress.parse(text, port)
    if address.is_ipv4:
        first = address.ip[12]
        usable = 0 < first < 224 and first != 127
    else:
        linkish = address.ip[0] == 0xFF or address.ip[:2] == b"\xfe\x80"
        usable = not linkish and int.from_bytes(address.ip) > 1
    if not usable:
        raise ValueError("not a global or private unicast address")
    return address


def _underlay(table: Table, role: str, port: int) -> UnderlayConfig:
    underlay = UnderlayConfig(
        interface=table.matching("interface", _INTERFACE, "an interface name of 1 to 15 characters"),
        link_id=table.integer("link_id", 0, 255),
        preference=table.integer("preference", 1, 255, 255),
        addresses=_addresses(table, "addresses", port, least=0 if role == "client" else 1),
    )
    table.refuse_rest()
    return underlay


def _neighbor(table: Table, port: int, asps: tuple[Prefix, ...]) -> NeighborConfig:
    neighbor = NeighborConfig(
        name=table.matching("name", re.compile(r"\S+"), "a host name"),
        id=_id(table, asps),
        addresses=_addresses(table, "addresses", port, least=1),
    )
    table.refuse_rest()
    return neighbor


def _configured_client(table: Table, link: LinkConfig) -> ConfiguredClient:
    return parse_configured_client(table, link.asps, lambda text: _underlay_address(text, link.port))


def _server(
    table: Table, others: tuple[NeighborConfig, ...], configured: tuple[ConfiguredClient, ...]
) -> ServerConfig:
    server = ServerConfig(
        release_grace=table.number("release_grace", 0, 3600, 5.0),
        redirect_clients=table.choice("redirect_clients", REDIRECT_CLIENTS, "never"),
        others=others,
        configured=configured,
        dhcp_interface=table.matching("dhcp_interface", _INTERFACE, "an interface name", None),
        kea_socket=table.matching("kea_socket", _ABSOLUTE_PATH, "an absolute path", None),
    )
    table.refuse_rest()
    return server


def _client(table: Table, link: LinkConfig) -> ClientConfig:
    acps = parse_acps(table, link.asps, least=0)
    if acps:
        # What only DHCPv6 needs.
        for key in ("duid", "prefixes", "server_count", "server_addresses"):
            table.refuse(key, "a Client with acps of its own does not use DHCPv6")
    client = ClientConfig(
        duid=b"" if acps else table.one("duid", _duid, f"hex digits for 3 to {DUID_MAX + 2} bytes", b""),
        prefixes=0 if acps else table.integer("prefixes", 1, 1000),
        server_count=table.integer("server_count", 1, 16, 2),
        server_addresses=_addresses(table, "server_addresses", link.port, least=0),
        eun_interface=table.matching("eun_interface", _INTERFACE, "an interface name", None),
        eun_mtu=table.integer("eun_mtu", IPV6_MIN_MTU, 65535, 1500),
        route_optimization=table.truth("route_optimization", True),
        accept_redirects=table.truth("accept_redirects", True),
        capability_lookup=table.truth("capability_lookup", False),
        acps=acps,
        synthesized_ra=table.truth("synthesized_ra", False),
        prefix_lengths=table.each("prefix_lengths", _length, 'lengths such as "/56"', least=0),
    )
    table.refuse_rest()
    return client


def _length(text: str) -> int:
    if not re.fullmatch(r"/[0-9]{1,3}", text) or not 1 <= int(text[1:]) <= 128:
        raise ValueError(text)
    return int(text[1:])


def _duid(text: str) -> bytes:
    duid = bytes.fromhex(text.replace(":", ""))
    if not 3 <= len(duid) <= DUID_MAX + 2:
        raise ValueError(f"{len(duid)} bytes")
    return duid


def _contradictions(config: Config) -> list[str]:
    """Mistakes that only show between the tables."""
    errors = []
    if not config.underlays:
        errors.append("underlay: at least one [[underlay]] is needed")
    errors += _repeated("underlay.interface", [u.interface for u in config.underlays])
    errors += _repeated("underlay.link_id", [u.link_id for u in config.underlays])
    errors += _repeated("underlay.addresses", [a.text for u in config.underlays for a in u.addresses])
    errors += _repeated("neighbor.id", [n.id for n in config.neighbors])
    errors += _repeated("neighbor.addresses", [a.text for n in config.neighbors for a in n.addresses])
    if config.client and bool(config.neighbors) != bool(config.client.acps):
        errors.append("neighbor: a Client with client.acps has its Servers here, any other has none")
    errors += [f"neighbor.id: {n.id} ({n.name}) is this node's own ID"
               for n in config.neighbors if n.id == config.node.id]
    if config.server:
        errors += _repeated("other_server.id", [config.node.id, *(s.id for s in config.server.others)])
        acps = [acp for client in config.server.configured for acp in client.acps]
        errors += _repeated("configured_client.acps", acps)
    if config.encapsulation.multicast and (config.authentication or config.signatures):
        errors.append("link.underlay_multicast: a message is signed for one Server, and none for a group")
    interfaces = [u.interface for u in config.underlays]
    if config.node.interface in interfaces:
        errors.append(f"underlay.interface: {config.node.interface!r} is the AERO interface itself")
    if config.client and config.client.eun_interface in [*interfaces, config.node.interface]:
        errors.append(f"client.eun_interface: {config.client.eun_interface!r} has another use already")
    return errors


def _repeated(key: str, values: list) -> list[str]:
    return [f"{key}: {value!r} is used more than once"
            for value in dict.fromkeys(values) if value and values.count(value) > 1]
