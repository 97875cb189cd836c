# SPDX-License-Identifier: GPL-3.0-or-later
"""A link of real aerods in network namespaces: Relay r, Server s with Kea, Client c, host h behind it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical

from aerod import aeroctl
from tests import namespaces
from tests.kea import OwnKea, bring
from tests.namespaces import Namespaces, wait_for

__all__ = ["ACP4", "ACP6", "DUID", "LINE", "OUTSIDE4", "OUTSIDE6", "OWN4", "OWN6", "ROOT", "Link", "missing", "running_link", "wait_for"]

ROOT = Path(__file__).resolve().parents[2]
DUID = "000200000009c0ffee01"
ACP6, ACP4 = "2001:db8:1:2::/64", "198.51.100.32/28"
OWN6, OWN4 = "2001:db8:1:2::1", "198.51.100.33"
LINE = canonical(DUID, [ACP6, ACP4])
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

    @property
    def kea(self) -> OwnKea:
        """Kea of s."""
        return OwnKea(self.directory / "s")

    def start_kea(self, lines: Sequence[str] = (LINE,)) -> None:
        """Start Kea on the Server with this table."""
        self.kea.configure()
        bring(self.kea, lines)
        self.spawn("kea", "s", *self.kea.command)

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
