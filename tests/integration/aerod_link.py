# SPDX-License-Identifier: GPL-3.0-or-later
"""A link of real aerods in network namespaces: Relay r, Server s with Kea, Client c, host h behind it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aerod import aeroctl

ROOT = Path(__file__).resolve().parents[2]
PREFIX = f"aeroshell-{os.getpid()}-"
DUID = "000200000009c0ffee01"
ACP6, ACP4 = "2001:db8:1:2::/64", "198.51.100.32/28"
OWN6, OWN4 = "2001:db8:1:2::1", "198.51.100.33"
LEASE_COMMANDS = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/kea/hooks/libdhcp_lease_cmds.so"
OUTSIDE6, OUTSIDE4 = "3fff:1::1", "198.18.0.1"

_ADDRESSES = {
    "r": ("203.0.113.1", "fd00:ae::1"),
    "s": ("203.0.113.11", "fd00:ae::b"),
    "c": ("203.0.113.101", "fd00:ae::65"),
}

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

_MORE = {
    "r": ("relay", 'id = 1\n[[neighbor]]\nname = "s"\nid = 11\naddresses = ["203.0.113.11", "fd00:ae::b"]'),
    "s": (
        "server",
        'id = 11\n[server]\n[[neighbor]]\nname = "r"\nid = 1\naddresses = ["203.0.113.1", "fd00:ae::1"]',
    ),
    "c": (
        "client",
        f'[client]\nduid = "{DUID}"\nprefixes = 2\nprefix_lengths = ["/64", "/124"]\neun_mtu = 1400\n',
    ),
}


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of ``condition``; AssertionError when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{getattr(condition, '__name__', condition)} did not come true in {seconds} s")


class Link:
    """The namespaces, and the processes in them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._resolv_conf = Path(f"/etc/netns/{PREFIX}c/resolv.conf")  # used by ip-netns(8)
        self._processes: dict[str, subprocess.Popen] = {}
        python = os.environ.get("AEROD_PYTHON", sys.executable)
        self.command = [python, "-m", "aerod", "aerod"]

    # Building

    def build(self) -> None:
        """Make the namespaces and what the routing daemon would add."""
        self.destroy()
        for node in ("core", "r", "s", "c", "h"):
            _run("ip", "netns", "add", PREFIX + node)
            self.run(node, "ip", "link", "set", "lo", "up")
            (self.directory / node).mkdir(exist_ok=True)
        self.run("core", "ip", "link", "add", "br0", "type", "bridge")
        self.run("core", "ip", "link", "set", "br0", "up")
        for node, (ipv4, ipv6) in _ADDRESSES.items():
            self._connect("core", f"v{node}", node, "eth0")
            self.run("core", "ip", "link", "set", f"v{node}", "master", "br0")
            self.run(node, "ip", "addr", "add", f"{ipv4}/24", "dev", "eth0")
            self.run(node, "ip", "addr", "add", f"{ipv6}/64", "dev", "eth0", "nodad")
            self.write_config(node)
        self._connect("c", "eth1", "h", "eth0")
        for node in _ADDRESSES:
            self.prepare(node)
        self.run("r", "ip", "addr", "add", f"{OUTSIDE6}/128", "dev", "lo")
        self.run("r", "ip", "addr", "add", f"{OUTSIDE4}/32", "dev", "lo")
        self._route("r", ACP6, "fe80::b")
        self._route("r", ACP4, "fe80::b")
        self.routes_of_bird("s")

    def routes_of_bird(self, node: str) -> None:
        """What the routing daemon of a Server would add."""
        self._route(node, "::/0", "fe80::1", "table", "8060")
        self._route(node, "0.0.0.0/0", "fe80::1", "table", "8060")

    def _connect(self, one: str, one_name: str, other: str, other_name: str) -> None:
        peer = ("peer", "name", other_name, "netns", PREFIX + other)
        self.run(one, "ip", "link", "add", one_name, "type", "veth", *peer)
        self.run(one, "ip", "link", "set", one_name, "up")
        self.run(other, "ip", "link", "set", other_name, "up")

    def _route(self, node: str, prefix: str, via: str, *more: str) -> None:
        version = "-6" if ":" in prefix else "-4"
        self.run(node, "ip", version, "route", "add", prefix, "via", "inet6", via, "dev", "aero0",
                 "proto", "bird", *more)

    def write_config(
        self,
        node: str,
        more: str = "",
        server_addresses: str = 'server_addresses = ["203.0.113.11"]\n',
        of_link: str = "",
    ) -> None:
        """Write aerod.toml; Clients take whatever address the interface has."""
        role, tables = _MORE[node]
        addresses = list(_ADDRESSES[node])
        if role == "client":
            addresses, tables = [], tables + server_addresses
        parts = {"addresses": json.dumps(addresses), "more": f"{tables}\n{more}", "of_link": of_link}
        text = _CONFIG.format(name=node, role=role, **parts)
        (self.directory / node / "aerod.toml").write_text(text)

    def prepare(self, node: str) -> None:
        """Run ``aerod --prepare``."""
        config = str(self.directory / node / "aerod.toml")
        self.run(node, *self.command, "--config", config, "--prepare", "--user", "root")

    def destroy(self) -> None:
        """End all processes and remove all namespaces."""
        for name in list(self._processes):
            self.kill(name)
        if self._resolv_conf.exists():
            shutil.rmtree(self._resolv_conf.parent)
        names = _run("ip", "-j", "netns", "list", check=False) or "[]"
        for entry in json.loads(names):
            if entry["name"].startswith(PREFIX):
                # The children of what a test killed.
                for pid in _run("ip", "netns", "pids", entry["name"]).split():
                    _run("kill", "-9", pid, check=False)
                _run("ip", "netns", "del", entry["name"])

    # Processes

    def start(self, node: str, state_dir: Path | None = None) -> None:
        """Start aerod."""
        files = self.directory / node
        directories = ("--state-dir", str(state_dir or files), "--run-dir", str(files))
        self._spawn(node, node, *self.command, "--config", f"{files}/aerod.toml", *directories)

    def start_eun(self) -> None:
        """Start aero-eun on the Client."""
        files = self.directory / "c"
        command = (*self.command, "--eun", "--config", f"{files}/aerod.toml", "--run-dir", str(files))
        self._spawn("eun", "c", *command, RUNTIME_DIRECTORY=str(self.directory / "h"))

    def start_kea(self) -> None:
        """Start Kea on the Server with the reservations of the Client."""
        files = self.directory / "s"
        self.write_kea_config()
        variables = {"KEA_PIDFILE_DIR": str(files), "KEA_LOCKFILE_DIR": str(files)}
        self._spawn("kea", "s", "kea-dhcp6", "-c", f"{files}/kea.json", **variables)

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
        self._spawn("dns", "r", "dnsmasq", *options, f"--listen-address={address}", "-z", record)
        self._resolv_conf.parent.mkdir(parents=True, exist_ok=True)
        self._resolv_conf.write_text(f"nameserver {address}\n")

    def _spawn(self, name: str, node: str, *command: str, **variables: str) -> None:
        with (self.directory / f"{name}.log").open("a") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", PREFIX + node, *command],
                stdout=log, stderr=log, cwd=ROOT, env=os.environ | variables,
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process and wait for its end."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(10)
        finally:
            process.kill()

    def has_ended(self, name: str) -> bool:
        """Whether a process ended by itself."""
        return self._processes[name].poll() is not None

    def log(self, name: str) -> str:
        """All that a process wrote."""
        return (self.directory / f"{name}.log").read_text()

    def resident(self, name: str) -> int:
        """The bytes of memory that a process has."""
        statm = Path(f"/proc/{self._processes[name].pid}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # Asking

    def run(self, node: str, *command: str, check: bool = True) -> str:
        """The output of a command in the namespace of ``node``."""
        return _run("ip", "netns", "exec", PREFIX + node, *command, check=check)

    def show(self, node: str, *arguments: str) -> list[dict[str, Any]]:
        """What ``ip -j`` shows, nothing for a table that does not exist."""
        return json.loads(self.run(node, "ip", "-j", *arguments, check=False) or "[]")

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


def _run(*command: str, check: bool = True, given: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, input=given)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout


def missing() -> str | None:
    """What this machine lacks for these tests."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    programs = [name for name in ("ip", "kea-dhcp6", "radvd", "dnsmasq") if shutil.which(name) is None]
    return f"needs {', '.join(programs)}" if programs else None
