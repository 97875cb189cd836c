# SPDX-License-Identifier: GPL-3.0-or-later
"""``aerod --prepare``: the AERO interface and the kernel settings, made by root before aerod runs.

Everything is left alone that is right already: an existing TUN device keeps its users.
"""

from __future__ import annotations

import pwd
import socket
from pathlib import Path

from aerod.address import UNASSIGNED_CLIENT, Prefix, is_link_local, link_local
from aerod.config import Config
from aerod.shell import tun
from aerod.shell.dhcp_link import RELAY_AGENT_MAC
from aerod.shell.rtnl import Rtnl
from aerod.shell.rtnl_messages import IFA_F_NODAD, IFA_F_NOPREFIXROUTE, Address, Link, Route

MTU = 65479  # 65535 less the largest ENCAPS, 56 (section 3.13: the MTU is indefinite)
_LINK_LOCAL = Prefix.parse("fe80::/64")
_LINK_ROUTE_METRIC, _LINK_ROUTE_MTU, _STATIC = 256, 1280, 4
# Where the DHCPv6 server sends its Relay-replies, to aerod on the same host.
_RELAY_AGENT = Prefix(int.from_bytes(UNASSIGNED_CLIENT, "big"), 128)

# The kernel makes no address, route or Neighbor Discovery of its own on the interface (D1, D20).
# ICMPv4 errors that aerod makes for this host come from the host's own address: accept_local. And
# rp_filter=2 is strict on an interface without IPv4 address; aerod checks the sources itself.
_INTERFACE_SETTINGS = {
    "ipv6/conf/{}/addr_gen_mode": "1",
    "ipv6/conf/{}/accept_dad": "0",
    "ipv6/conf/{}/accept_ra": "0",
    "ipv6/conf/{}/autoconf": "0",
    "ipv6/conf/{}/router_solicitations": "0",
    "ipv4/conf/{}/rp_filter": "0",
    "ipv4/conf/{}/accept_local": "1",
}


class PrepareError(OSError):
    """The host cannot be prepared; the text says what to do."""


def prepare(config: Config, user: str) -> None:
    """Make the host ready for aerod to run as ``user``; raises PrepareError."""
    rtnl = Rtnl()
    try:
        link = _interface(rtnl, config, config.node.interface, user)
        _set_route(rtnl, link, _LINK_LOCAL, _LINK_ROUTE_MTU)
        if config.node.role == "server":
            # Not cut by the kernel at 1280 bytes: aerod fragments Replies of any size (section 3.13.1).
            _set_route(rtnl, _dhcp_interface(rtnl, config, user) or link, _RELAY_AGENT, MTU)
        if config.node.role == "relay" or (config.client and config.client.eun_interface):
            _forward([underlay.interface for underlay in config.underlays])
        elif config.client:
            # Else the kernel is silent about addresses of an IPv4 ACP that nobody has.
            _set(f"ipv4/conf/{config.node.interface}/forwarding", "1")
    except PrepareError:
        raise
    except OSError as error:
        raise PrepareError(f"preparing {config.node.interface}: {error}") from error
    finally:
        rtnl.close()


def _interface(rtnl: Rtnl, config: Config, name: str, user: str, tap: bool = False) -> Link:
    """Make a device with our addresses and settings, and nothing of the kernel's own; bring it up."""
    _make_device(name, user, tap)
    for setting, value in _INTERFACE_SETTINGS.items():
        _set(setting.format(name), value)
    link = next(link for link in rtnl.links() if link.name == name)
    _set_addresses(rtnl, link, config.node.id)
    rtnl.set_link(link.index, True, MTU)
    return link


def _dhcp_interface(rtnl: Rtnl, config: Config, user: str) -> Link | None:
    """Make the TAP device of a DHCPv6 server that takes no TUN, which knows where the relay agent is."""
    name = config.server.dhcp_interface
    if name is None:
        return None
    link = _interface(rtnl, config, name, user, tap=True)
    _set_route(rtnl, link, _LINK_LOCAL, MTU)
    rtnl.add_neighbor(link.index, UNASSIGNED_CLIENT, RELAY_AGENT_MAC)
    return link


def _make_device(name: str, user: str, tap: bool) -> None:
    try:
        owner = pwd.getpwnam(user).pw_uid
    except KeyError:
        raise PrepareError(f"there is no user {user!r}: make it, or name another by --user") from None
    device = Path("/sys/class/net") / name
    if not device.exists():
        tun.make_persistent(name, owner, tap)
    elif not (device / "tun_flags").exists():
        raise PrepareError(f"{name} exists and is no TUN device: remove it or choose another node.interface")
    elif (device / "owner").read_text().strip() != str(owner):
        tun.make_persistent(name, owner, tap)


def _set_addresses(rtnl: Rtnl, link: Link, aero_id: int | None) -> None:
    """Give a Relay or Server fe80::ID/64 and nothing else; a Client's addresses come with its lease."""
    if aero_id is None:
        return
    wanted = link_local(aero_id)
    present = [a for a in rtnl.addresses() if a.index == link.index and is_link_local(a.ip)]
    for address in present:
        if address.ip != wanted or address.length != _LINK_LOCAL.length:
            rtnl.remove_address(address)
    if wanted not in [a.ip for a in present]:
        # The prefix route is ours to make, below: it carries an MTU.
        flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE
        rtnl.add_address(Address(link.index, wanted, _LINK_LOCAL.length, flags))


def _set_route(rtnl: Rtnl, link: Link, prefix: Prefix, mtu: int) -> None:
    """Route ``prefix`` to the link, beside the routes other interfaces have for it."""
    wanted = Route(prefix, link.index, metric=_LINK_ROUTE_METRIC, protocol=_STATIC)
    present = [r for r in rtnl.routes(socket.AF_INET6) if (r.prefix, r.oif) == (prefix, link.index)]
    for route in present:
        if route != wanted:
            rtnl.remove_route(route)
    if wanted not in present:
        rtnl.append_route(wanted._replace(mtu=mtu))


def _forward(underlays: list[str]) -> None:
    """Switch forwarding on; underlays that take router advertisements keep doing so (D16).

    Otherwise the kernel deletes the default route they brought.
    """
    for name in underlays:
        setting = f"ipv6/conf/{name}/accept_ra"
        if _get(setting) == "1":
            _set(setting, "2")
    _set("ipv4/ip_forward", "1")
    _set("ipv6/conf/all/forwarding", "1")


def _path(setting: str) -> Path:
    return Path("/proc/sys/net") / setting


def _get(setting: str) -> str | None:
    try:
        return _path(setting).read_text().strip()
    except FileNotFoundError:
        return None


def _set(setting: str, value: str) -> None:
    if _get(setting) != value:
        _path(setting).write_text(value)
