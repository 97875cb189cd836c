# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host must have before it can become a node of an AERO link.

The module :mod:`preflight` is the only user.  Runs on Pythons older than a node needs, to be able
to say so.
"""

from __future__ import annotations

import glob
import importlib.util
import ipaddress
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

DEBIAN_MIN = 12
PYTHON_MIN = (3, 11)
MTU_MIN = 1280  # RFC 8200 section 5
YEAR_MIN = 2024
# The first comment of every file we write says who did.
OURS = "aero.link"

# Ports that the programs of a role take, and the program that may have them.
PORTS = {
    "relay": [("tcp", 179, "bird")],
    "server": [("tcp", 179, "bird"), ("udp", 547, "a DHCPv6 server")],
    "client": [],
}
# With it a dhcpd is ours, or a PostgreSQL.
DHCPD_UNIT = "/etc/systemd/system/aero-dhcpd.service"
POSTGRESQL_DROP_IN = "/etc/systemd/system/postgresql@.service.d/aero.conf"
# Programs that exist once on a host: (process, its configuration).
PROGRAMS = {
    "relay": [("bird", "/etc/bird/bird.conf")],
    "server": [("bird", "/etc/bird/bird.conf"), ("kea-dhcp6", "/etc/kea/kea-dhcp6.conf")],
    "client": [],
}
NAME_SERVERS = {"bind": ("named", "/etc/bind/named.conf"), "knot": ("knotd", "/etc/knot/knot.conf")}
# Programs that a DHCPv6 back end has for itself: (process, with what it is ours, what a site's would suffer).
_TUNED = "its settings would be changed and it would be restarted"
_BARRED = "Debian's isc-dhcp-server would not start any more"
BACK_ENDS = {
    "kea": [],
    "kea_postgresql": [("postgres", POSTGRESQL_DROP_IN, _TUNED)],
    "isc": [("dhcpd", DHCPD_UNIT, _BARRED)],
}


class Host:
    """What is asked of the host; files are read below ``root``."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def read(self, path: str) -> str:
        """The text of a file, "" if it cannot be read."""
        try:
            with open(os.path.join(self.root, path.lstrip("/")), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def exists(self, path: str) -> bool:
        return os.path.exists(os.path.join(self.root, path.lstrip("/")))

    def interfaces(self) -> dict[str, dict]:
        """Interfaces by name: {mtu, addresses: [text], tentative: [text]}."""
        shown = subprocess.run(["ip", "-j", "address"], capture_output=True, text=True, check=True).stdout
        found = {}
        for link in json.loads(shown):
            addresses = [info for info in link.get("addr_info", []) if "local" in info]
            found[link["ifname"]] = {
                "mtu": link["mtu"],
                "addresses": [info["local"] for info in addresses],
                "failed": [info["local"] for info in addresses if info.get("dadfailed")],
            }
        return found

    def speaks_nftables(self) -> bool:
        """Ask the kernel for the generation of its rule set (linux/netfilter/nf_tables.h)."""
        message_type = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
        request = struct.pack("=IHHIIBBH", 20, message_type, 1, 1, 0, 0, 0, 0)
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:  # NETLINK_NETFILTER
                netfilter.settimeout(2)
                netfilter.send(request)
                answer = netfilter.recv(4096)
        except OSError:
            return False
        return struct.unpack_from("=H", answer, 4)[0] != 2  # NLMSG_ERROR

    def holders(self, protocol: str, port: int) -> set[str]:
        """Names of the processes that listen on a TCP or have bound a UDP port."""
        inodes = set()
        for version in ("", "6"):
            for line in self.read(f"/proc/net/{protocol}{version}").splitlines()[1:]:
                fields = line.split()
                listening = protocol == "udp" or fields[3] == "0A"
                if listening and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(fields[9])
        return {self.process(pid) for pid in self.pids() if inodes & self.sockets(pid)} if inodes else set()

    def pids(self) -> list[str]:
        return [os.path.basename(path) for path in glob.glob(os.path.join(self.root, "proc/[0-9]*"))]

    def sockets(self, pid: str) -> set[str]:
        """Inodes of the sockets a process has open."""
        found = set()
        for path in glob.glob(os.path.join(self.root, "proc", pid, "fd", "*")):
            try:
                match = re.match(r"socket:\[(\d+)\]", os.readlink(path))
            except OSError:
                continue
            if match:
                found.add(match.group(1))
        return found

    def process(self, pid: str) -> str:
        """The name of a process; aerod is a Python program, known by its file."""
        command = self.read(f"/proc/{pid}/cmdline").split("\0")
        if any("/aero/aerod" in word for word in command):
            return "aerod"
        return self.read(f"/proc/{pid}/comm").strip()

    def running(self) -> set[str]:
        """Names of all processes."""
        return {self.process(pid) for pid in self.pids()}

    def free_mb(self, path: str) -> int:
        return shutil.disk_usage(path).free // 1_000_000


def problems(host: Host, params: dict, check_mode: bool = False) -> list[str]:
    """One line for each thing that keeps ``host`` from becoming a node or name server."""
    return [
        *_distribution(host),
        *_python(check_mode),
        *(_node(host, params) if params["role"] else []),
        *(_name_server(host, params["dns_backend"]) if params["dns_backend"] else []),
        *_resources(host, params["free_mb"]),
    ]


def _node(host: Host, params: dict) -> list[str]:
    needed = BACK_ENDS[params["dhcp_backend"]] if params["role"] == "server" else []
    return [
        *_kernel(host),
        *_interfaces(host, params),
        *_ports(host, params),
        *_replaced(host, PROGRAMS[params["role"]]),
        *_taken_over(host, needed),
    ]


def _distribution(host: Host) -> list[str]:
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', host.read("/etc/os-release"), re.MULTILINE))
    name = release.get("PRETTY_NAME", "unknown")
    found = []
    # Debian's testing and unstable have no VERSION_ID.
    version = release.get("VERSION_ID", str(DEBIAN_MIN))
    if release.get("ID") != "debian" or float(version) < DEBIAN_MIN:
        found.append(f"the distribution is {name}, needed is Debian {DEBIAN_MIN} or later")
    if not host.exists("/run/systemd/system"):
        found.append("the host is not run by systemd")
    return found


def _python(check_mode: bool) -> list[str]:
    found = []
    if sys.version_info < PYTHON_MIN:
        version, needed = (".".join(map(str, parts[:2])) for parts in (sys.version_info, PYTHON_MIN))
        found.append(f"{sys.executable} is Python {version}, needed is {needed} or later")
    if check_mode and importlib.util.find_spec("apt") is None:
        found.append("the package python3-apt is missing, without which --check cannot look at packages")
    return found


def _kernel(host: Host) -> list[str]:
    found = []
    if not host.exists("/dev/net/tun"):
        found.append("/dev/net/tun is missing (modprobe tun)")
    if not host.exists("/proc/net/if_inet6"):
        found.append("the kernel runs without IPv6")
    else:
        found += [
            f"net.ipv6.conf.{scope}.disable_ipv6 is 1, IPv6 must be on"
            for scope in ("all", "default")
            if host.read(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").strip() == "1"
        ]
    if not host.speaks_nftables():
        found.append("the kernel has no nftables (modprobe nf_tables)")
    return found


def _interfaces(host: Host, params: dict) -> list[str]:
    try:
        interfaces = host.interfaces()
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        return [f"'ip -j address' does not work, is iproute2 installed? ({error})"]
    found = []
    for number, underlay in enumerate(params["underlays"]):
        name = underlay["interface"]
        where = f"aero_underlays[{number}]"
        if name not in interfaces:
            there = ", ".join(sorted(interfaces))
            found.append(f"{where}: there is no interface '{name}' (there are {there})")
            continue
        interface = interfaces[name]
        if interface["mtu"] < MTU_MIN:
            found.append(f"{where}: {name} has MTU {interface['mtu']}, needed is {MTU_MIN} or more")
        has = {ipaddress.ip_address(text) for text in interface["addresses"]}
        failed = {ipaddress.ip_address(text) for text in interface["failed"]}
        for text in underlay["addresses"]:
            address = ipaddress.ip_address(text)
            if address not in has:
                there = ", ".join(sorted(interface["addresses"])) or "none"
                found.append(f"{where}: {name} does not have the address {text} (it has {there})")
            elif address in failed:
                found.append(f"{where}: {text} on {name} is in use by another host (duplicate address)")
    eun = params["eun_interface"]
    if eun and eun not in interfaces:
        there = ", ".join(sorted(interfaces))
        found.append(f"aero_eun_interface: there is no interface '{eun}' (there are {there})")
    return found


def _ports(host: Host, params: dict) -> list[str]:
    found = []
    ours = {"aerod", "bird", "kea-dhcp6"}
    if host.exists(DHCPD_UNIT):
        ours.add("dhcpd")
    for protocol, port, owner in [("udp", params["port"], "aerod"), *PORTS[params["role"]]]:
        found += [
            f"{protocol} port {port} is in use by '{holder}', it is needed for {owner}"
            for holder in sorted(host.holders(protocol, port) - ours)
        ]
    return found


def _foreign(host: Host, programs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that run by a configuration that is not ours."""
    running = host.running()
    return [
        (program, path)
        for program, path in programs
        # A file that somebody removed is no configuration that could be lost.
        if program in running and (text := host.read(path)) and OURS not in text
    ]


def _replaced(host: Host, programs: list[tuple[str, str]]) -> list[str]:
    return [
        f"{program} runs here with a configuration that is not ours, {path} would be replaced: "
        "take another host, or remove that file if nobody needs it"
        for program, path in _foreign(host, programs)
    ]


def _taken_over(host: Host, programs: list[tuple[str, str, str]]) -> list[str]:
    running = host.running()
    return [
        f"{program} runs here and is not ours, {harm}: "
        "set another aero_dhcp_backend, or stop it if nobody needs it"
        for program, path, harm in programs
        if program in running and not host.exists(path)
    ]


def _name_server(host: Host, backend: str) -> list[str]:
    others = [NAME_SERVERS[name] for name in NAME_SERVERS if name != backend]
    return [
        *_replaced(host, [NAME_SERVERS[backend]]),
        *[
            f"udp port 53 is in use by '{program}' with a configuration that is not ours, it is needed for "
            f"{NAME_SERVERS[backend][0]}: take another host, or stop it if nobody needs it"
            for program, _path in _foreign(host, others)
            if program in host.holders("udp", 53)
        ],
    ]


def _resources(host: Host, free_mb: int) -> list[str]:
    found = [
        f"only {host.free_mb(path)} MB are free below {path}, needed are {free_mb}"
        for path in ("/usr", "/var")
        if host.free_mb(path) < free_mb
    ]
    year = time.gmtime().tm_year
    if year < YEAR_MIN:
        found.append(f"the clock says it is the year {year}")
    return found
