# SPDX-License-Identifier: GPL-3.0-or-later
"""A link of real aerods in network namespaces: Relay r, Server s with Kea, Client c, host h behind it."""

from __future__ import annotations

import json
import os
import socket
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aerod import aeroctl
from tests import namespaces
from tests.namespaces import Namespaces, wait_for

__all__ = ["ACP4", "ACP6", "DUID", "OUTSIDE4", "OUTSIDE6", "OWN4", "OWN6", "ROOT", "Link", "missing", "running_link", "wait_for"]

ROOT = Path(__file__).resolve().parents[2]
DUID = "000200000009c0ffee01"
ACP6, ACP4 = "2001:db8:1:2::/64", "198.51.100.32/28"
OWN6, OWN4 = "2001:db8:1:2::1", "198.51.100.33"
LEASE_COMMANDS = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/kea/hooks/libdhcp_lease_cmds.so"
OUTSIDE6, OUTSIDE4 = "3fff:1::1", "198.18.0.1"

_CONFIG = """
[link]
domain = "example.net"
asps = ["2001:db8::/32", "198.51.100.0/24"]
{of_link}
[[underlay]]
interface = "eth0"
link_id = 0
addresses = {addresses}
[node]
name = "{name}"
role = "{role}"
{more}
"""


class Link(Namespaces):
    """The namespaces, and the processes in them."""

    # Of each node: its addresses, its role, and what more its aerod.toml says.
    addresses = {
        "r": ("203.0.113.1", "fd00:ae::1"),
        "s": ("203.0.113.11", "fd00:ae::b"),
        "c": ("203.0.113.101", "fd00:ae::65"),
    }
    tables = {
        "r": ("relay", 'id = 1\n[[neighbor]]\nname = "s"\nid = 11\naddresses = ["203.0.113.11", "fd00:ae::b"]'),
        "s": ("server", 'id = 11\n[server]\nkea_socket = "@FILES@/kea.sock"\n[[neighbor]]\nname = "r"\nid = 1\naddresses = ["203.0.113.1", "fd00:ae::1"]'),
        "c": ("client", f'[client]\nduid = "{DUID}"\nprefixes = 2\nprefix_lengths = ["/64", "/124"]\neun_mtu = 1400\n'),
    }
    command = (os.environ.get("AEROD_PYTHON", sys.executable), "-m", "aerod", "aerod")

    # Building

    def build(self) -> None:
        """Make the namespaces and what the routing daemon would add."""
        self.add("core", *self.addresses, "h")
        self.ip("core", "link add br0 type bridge", "link set br0 up")
        for node, (ipv4, ipv6) in self.addresses.items():
            self.attach(node, "eth0", f"v{node}")
            self.ip(node, f"addr add {ipv4}/24 dev eth0", f"addr add {ipv6}/64 dev eth0 nodad")
            self.write_config(node)
        self._connect("c", "eth1", "h", "eth0")
        for node in self.addresses:
            self.prepare(node)
        self.ip("r", f"addr add {OUTSIDE6}/128 dev lo", f"addr add {OUTSIDE4}/32 dev lo")
        self._route("r", ACP6, "fe80::b")
        self._route("r", ACP4, "fe80::b")
        self.routes_of_bird("s")

    def routes_of_bird(self, node: str) -> None:
        """What the routing daemon of a Server would add."""
        self._route(node, "::/0", "fe80::1", "table", "8060")
        self._route(node, "0.0.0.0/0", "fe80::1", "table", "8060")

    def attach(self, node: str, interface: str, port: str) -> None:
        """Put an interface of ``node`` on the underlay, a bridge in ``core``."""
        self._connect("core", port, node, interface)
        self.ip("core", f"link set {port} master br0")

    def _connect(self, one: str, one_name: str, other: str, other_name: str) -> None:
        self.ip(one, f"link add {one_name} type veth peer name {other_name} netns {self.prefix}{other}", f"link set {one_name} up")
        self.ip(other, f"link set {other_name} up")

    def _route(self, node: str, prefix: str, via: str, *more: str) -> None:
        version = "-6" if ":" in prefix else "-4"
        self.run(node, "ip", version, "route", "add", prefix, "via", "inet6", via, "dev", "aero0",
                 "proto", "bird", *more)  # fmt: skip

    def write_config(
        self,
        node: str,
        more: str = "",
        server_addresses: str = 'server_addresses = ["203.0.113.11"]\n',
        of_link: str = "",
    ) -> None:
        """Write aerod.toml; Clients take whatever address the interface has."""
        role, tables = self.tables[node]
        tables = tables.replace("@FILES@", str(self.directory / node))
        addresses = list(self.addresses[node])
        if role == "client":
            addresses, tables = [], tables + server_addresses
        parts = {"addresses": json.dumps(addresses), "more": f"{tables}\n{more}", "of_link": of_link}
        text = _CONFIG.format(name=node, role=role, **parts)
        (self.directory / node / "aerod.toml").write_text(text)

    def prepare(self, node: str) -> None:
        """Run ``aerod --prepare``."""
        config = str(self.directory / node / "aerod.toml")
        self.run(node, *self.command, "--config", config, "--prepare", "--user", "root")

    # Processes

    def start(self, node: str, state_dir: Path | None = None) -> None:
        """Start aerod."""
        files = self.directory / node
        directories = ("--state-dir", str(state_dir or files), "--run-dir", str(files))
        self.spawn(node, node, *self.command, "--config", f"{files}/aerod.toml", *directories, cwd=ROOT)

    def start_eun(self) -> None:
        """Start aero-eun on the Client."""
        files = self.directory / "c"
        command = (*self.command, "--eun", "--config", f"{files}/aerod.toml", "--run-dir", str(files))
        self.spawn("eun", "c", *command, cwd=ROOT, RUNTIME_DIRECTORY=str(self.directory / "h"))

    def start_kea(self) -> None:
        """Start Kea on the Server with the reservations of the Client."""
        files = self.directory / "s"
        self.write_kea_config()
        variables = {"KEA_PIDFILE_DIR": str(files), "KEA_LOCKFILE_DIR": str(files)}
        self.spawn("kea", "s", "kea-dhcp6", "-c", f"{files}/kea.json", **variables)

    def write_kea_config(self, acps: tuple[str, ...] = (ACP6, "::ffff:198.51.100.32/124")) -> None:
        """Write Kea's configuration, with these prefixes for the Client."""
        files = self.directory / "s"
        reservation = {"duid": DUID, "prefixes": acps}
        leases = {"type": "memfile", "name": f"{files}/leases.csv", "lfc-interval": 0}
        document = {
            "interfaces-config": {
                "interfaces": ["aero0"],
                "service-sockets-max-retries": 1000,
                "service-sockets-retry-wait-time": 500,
            },
            "control-socket": {"socket-type": "unix", "socket-name": f"{files}/kea.sock"},
            "hooks-libraries": [{"library": LEASE_COMMANDS}],
            "server-id": {"type": "EN", "enterprise-id": 45282, "identifier": "AE0B", "persist": False},
            "lease-database": leases,
            "preferred-lifetime": 3600,
            "valid-lifetime": 7200,
            "renew-timer": 1000,
            "rebind-timer": 2000,
            "relay-supplied-options": ["17"],
            "mac-sources": ["duid"],
            "host-reservation-identifiers": ["duid"],
            "subnet6": [{
                "id": 1, "subnet": "fe80::/64", "interface": "aero0", "rapid-commit": True,
                "reservations": [reservation] if acps else [],
            }],
        }
        (files / "kea.json").write_text(json.dumps({"Dhcp6": document}))

    def ask_kea(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Kea's answer on its control socket."""
        request = {"command": command, **({"arguments": arguments} if arguments else {})}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.directory / "s" / "kea.sock"))
            connection.sendall(json.dumps(request).encode())
            return json.loads(connection.makefile().read())

    def start_name_server(self, address: str, server: str) -> None:
        """Start a name server on the Relay, that logs who asks it, and point the Client to it."""
        record = f"--host-record=linkupnetworks.example.net,{server}"
        options = ("-k", "-R", "-h", "-C/dev/null", "--pid-file=", "--log-facility=-", "--log-queries")
        self.spawn("dns", "r", "dnsmasq", *options, f"--listen-address={address}", "-z", record)
        self.resolve_at(address, "c")

    # Asking

    def run(self, name: str, *command: str, **how: Any) -> str:
        """The output of a command in a namespace; aerod is that of this tree."""
        return super().run(name, *command, cwd=ROOT, **how)

    def ask(self, node: str, command: str, **arguments: Any) -> Any:
        """What aerod answers on its control socket, None if it does not run."""
        try:
            with aeroctl.connect(self.directory / node / "aerod.sock") as connection:
                connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
                answer = json.loads(connection.makefile().readline())
        except (aeroctl.ControlError, OSError, ValueError):
            return None
        assert answer["ok"], answer
        return answer["result"]

    def has_lease(self) -> bool:
        """Whether the Client is bound."""
        return any(lease["state"] == "bound" for lease in self.ask("c", "leases") or [])

    def pings(self, node: str, address: str, size: int = 64) -> bool:
        """Whether an echo of ``size`` bytes, IP header included and not to be fragmented, is answered."""
        payload = size - (48 if ":" in address else 28)
        command = ("ping", "-n", "-c1", "-W2", "-M", "do", "-s", str(payload), address)
        return "1 received" in self.run(node, *command, check=False)


def missing() -> str | None:
    """What this machine lacks for these tests."""
    return namespaces.missing("kea-dhcp6", "radvd", "dnsmasq")


@contextmanager
def running_link() -> Iterator[Link]:
    """A link whose Client has its lease; it is taken down afterwards, also if it did not come up."""
    made = Link()
    try:
        made.build()
        for node in ("r", "s", "c"):
            made.start(node)
        made.start_kea()
        wait_for(made.has_lease)
        yield made
    finally:
        made.destroy()
