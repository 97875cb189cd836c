# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench: an underlay of network namespaces, and real aerods started in them.

    h1 - c1 --+                        +-- c2 - h2
              |                        |
     s1 - s2 -+-- u (a bridge) --------+-- r1     x (whoever a test wants to be)

Every name is a namespace ``aeroconf-<pid>-<n>-<name>``, so that any number of benches stand side by side.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.conformance.capture import Capture
from tests.conformance.netns import inside, run, whole_packets
from tests.conformance.packets import AERO_PORT

TREE = Path(os.environ.get("AEROD") or Path(__file__).resolve().parents[2]).resolve()
_DIRECTORY = TREE if TREE.is_dir() else TREE.parent
ASPS = ["2001:db8::/32", "192.0.2.0/24"]
NATIVE4, NATIVE6 = "203.0.113.80", "3fff:1::80"  # a host of the native network, at r1
_PREFIX = "aeroconf-"


@dataclass(frozen=True)
class Node:
    """A node of the bench: its underlay addresses, and what it is."""

    role: str
    v4: str
    v6: str
    id: int | None = None
    duid: str = ""
    acps: tuple[str, ...] = ()
    host: str = ""

    @property
    def link_local(self) -> str:
        return f"fe80::{self.id:x}"


NODES = {
    "r1": Node("relay", "198.51.100.1", "fd00:a::1", 1),
    "s1": Node("server", "198.51.100.11", "fd00:a::b", 11),
    "s2": Node("server", "198.51.100.12", "fd00:a::c", 12),
    "c1": Node("client", "198.51.100.101", "fd00:a::65", None, "000200000009c1",
               ("2001:db8:1000:2000::/56", "192.0.2.32/28"), "h1"),
    "c2": Node("client", "198.51.100.102", "fd00:a::66", None, "000200000009c2",
               ("2001:db8:1::/48", "192.0.2.64/28"), "h2"),
    "x": Node("stranger", "198.51.100.200", "fd00:a::c8"),
}  # fmt: skip
# What a host behind a Client has, and the address of the Client on its side.
HOSTS = {
    "h1": ("c1", "2001:db8:1000:2000::10/64", "2001:db8:1000:2000::1/64", "192.0.2.34/28", "192.0.2.33/28"),
    "h2": ("c2", "2001:db8:1:7::10/64", "2001:db8:1:7::1/64", "192.0.2.66/28", "192.0.2.65/28"),
}
H1, H2 = "2001:db8:1000:2000::10", "2001:db8:1:7::10"
H1_V4, H2_V4 = "192.0.2.34", "192.0.2.66"

_numbers = itertools.count()
benches: list[Bench] = []


class Bench:
    """Namespaces, aerods and whatever else a test starts; ``destroy`` leaves nothing."""

    def __init__(
        self,
        family: int = 4,
        nodes: Iterable[str] = ("r1", "s1", "s2", "c1", "c2", "x", "h1", "h2"),
        mtu: int = 1500,
        eun_mtu: int = 1500,
    ) -> None:
        """``family`` is that of the underlay addresses used; the others are there as well."""
        self.family = family
        self.nodes = tuple(nodes)
        self.mtu, self.eun_mtu = mtu, eun_mtu
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.prefix = f"{_PREFIX}{os.getpid()}-{next(_numbers)}-"
        self.configs = {name: self._default_config(name) for name in self.nodes if name in NODES and name != "x"}
        self._processes: dict[str, subprocess.Popen] = {}
        self._injectors: dict[tuple[str, str], socket.socket] = {}
        self._closing = contextlib.ExitStack()
        benches.append(self)

    # Building

    def build(self) -> Bench:
        """Make the namespaces, without starting anything."""
        for node in ("u", *self.nodes):
            run("ip", "netns", "add", self.prefix + node)
            (self.directory / node).mkdir()
        self.ip("u", "link add br0 type bridge mcast_snooping 0", f"link set br0 mtu {self.mtu} up")
        for node in self.nodes:
            self.ip(node, "link set lo up")
        for node in self.nodes:
            if node in NODES:
                self.attach(node, "eth0", NODES[node].v4, NODES[node].v6)
        for node in self.nodes:
            if node in HOSTS:
                self._attach_host(node)
        if "r1" in self.nodes:
            self.ip("r1", f"addr add {NATIVE4}/32 dev lo", f"addr add {NATIVE6}/128 dev lo")
        return self

    def attach(self, node: str, interface: str, v4: str = "", v6: str = "") -> None:
        """Put another interface of ``node`` on the underlay; in ``u`` it is ``v-node`` (eth0) or ``v-node-eth1``."""
        port = f"v-{node}" if interface == "eth0" else f"v-{node}-{interface}"
        self.ip("u", f"link add {port} mtu {self.mtu} type veth peer name {interface} netns {self.prefix}{node}",
                f"link set {port} master br0 up")  # fmt: skip
        whole_packets(self.prefix + node, interface)
        addresses = [f"addr add {v4}/24 dev {interface}"] if v4 else []
        addresses += [f"addr add {v6}/64 dev {interface} nodad"] if v6 else []
        self.ip(node, f"link set {interface} mtu {self.mtu} up", *addresses)

    def _attach_host(self, host: str) -> None:
        client, own6, router6, own4, router4 = HOSTS[host]
        self.ip(client, f"link add eth9 mtu {self.eun_mtu} type veth peer name eth0 netns {self.prefix}{host}",
                "link set eth9 up", f"addr add {router6} dev eth9 nodad", f"addr add {router4} dev eth9")  # fmt: skip
        self.ip(host, f"link set eth0 mtu {self.eun_mtu} up", f"addr add {own6} dev eth0 nodad", f"addr add {own4} dev eth0",
                f"route add default via {router4.split('/')[0]}",
                f"route add ::/0 via {router6.split('/')[0]}")  # fmt: skip
        whole_packets(self.prefix + client, "eth9")
        whole_packets(self.prefix + host, "eth0")

    def insert_nat(self, node: str = "c1", public4: str = "198.51.100.50", public6: str = "fd00:a::32") -> None:
        """Move ``node`` behind a masquerading router ``nat``; before anything is started."""
        run("ip", "netns", "add", self.prefix + "nat")
        (self.directory / "nat").mkdir()
        self.nodes += ("nat",)
        self.ip("nat", "link set lo up")
        self.ip("u", f"link del v-{node}")
        self.attach("nat", "eth0", public4, public6)
        self.ip("nat", f"link add in0 type veth peer name eth0 netns {self.prefix}{node}", "link set in0 up",
                "addr add 10.77.0.1/24 dev in0", "addr add fd77::1/64 dev in0 nodad")  # fmt: skip
        self.ip(node, "link set eth0 up", "addr add 10.77.0.2/24 dev eth0", "addr add fd77::2/64 dev eth0 nodad",
                "route add default via 10.77.0.1", "route add ::/0 via fd77::1")  # fmt: skip
        whole_packets(self.prefix + node, "eth0")
        whole_packets(self.prefix + "nat", "in0")
        self.run("nat", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.run("nat", "nft", "-f", "-", given=(
            "table inet nat { chain out { type nat hook postrouting priority 100; oifname eth0 masquerade random } }"
        ))  # fmt: skip

    def destroy(self) -> None:
        """End all, remove all; AssertionError if a daemon met a mistake of its own."""
        self._closing.close()
        for name in list(self._processes):
            self.kill(name)
        for injector in self._injectors.values():
            injector.close()
        for node in ("u", *self.nodes):
            run("ip", "netns", "del", self.prefix + node, check=False)
        logs = {node: self.log(node) for node in self.nodes}
        shutil.rmtree(self.directory, ignore_errors=True)
        benches.remove(self)
        crashed = {node: log[log.index("Traceback") :][:3000] for node, log in logs.items() if "Traceback" in log}
        assert not crashed, crashed

    def closing(self, thing: Any) -> Any:
        """Have ``thing.close()`` called when the bench goes."""
        self._closing.callback(thing.close)
        return thing

    # Configuring

    def _default_config(self, name: str) -> dict[str, Any]:
        node = NODES[name]
        config: dict[str, Any] = {
            "node": {"name": name, "role": node.role},
            "link": {"domain": "example.net", "asps": ASPS},
            "underlay": [{"interface": "eth0", "link_id": 0, "addresses": [node.v4, node.v6]}],
        }
        if node.role == "client":
            config["underlay"][0]["addresses"] = []
            server = "s1" if name == "c1" or "s2" not in self.nodes else "s2"
            config["client"] = {
                "duid": node.duid, "prefixes": len(node.acps), "server_count": 1,
                "server_addresses": [self.address(server)],
            }  # fmt: skip
            if node.host in self.nodes:
                config["client"] |= {"eun_interface": "eth9", "eun_mtu": max(1280, self.eun_mtu)}
            return config
        config["node"]["id"] = node.id
        if node.role == "server":
            config["server"] = {}
        others = "server" if node.role == "relay" else "relay"
        config["neighbor"] = [
            {"name": other, "id": NODES[other].id, "addresses": self.addresses(other)}
            for other in self.nodes if other in NODES and NODES[other].role == others
        ]  # fmt: skip
        return config

    def configure(self, node: str, **tables: Any) -> None:
        """Change tables of aerod.toml: ``configure("c1", link={"asps": [...]}, client={"server_count": 2})``."""
        for table, values in tables.items():
            if isinstance(values, dict):
                self.configs[node].setdefault(table, {}).update(values)
            else:
                self.configs[node][table] = values

    def configure_all(self, **tables: Any) -> None:
        """The same at every aerod of the bench."""
        for node in self.configs:
            self.configure(node, **tables)

    def write_config(self, node: str) -> Path:
        """Write aerod.toml as it is configured now."""
        path = self.directory / node / "aerod.toml"
        path.write_text(_toml(self.configs[node]))
        return path

    # Addresses

    def addresses(self, node: str) -> list[str]:
        """Both underlay addresses of a node, that of the family in use first."""
        both = [NODES[node].v4, NODES[node].v6]
        return both if self.family == 4 else both[::-1]

    def address(self, node: str, family: int | None = None) -> str:
        """An underlay address of a node."""
        return NODES[node].v4 if (family or self.family) == 4 else NODES[node].v6

    # Processes

    @property
    def command(self) -> list[str]:
        """How aerod is run: from this tree, or from the zipapp or other tree that AEROD names."""
        return [sys.executable, *(["-m", "aerod"] if TREE.is_dir() else [str(TREE)]), "aerod"]

    def start(self, *nodes: str) -> None:
        """Prepare and start aerod on these nodes, or on all, and wait until they answer."""
        chosen = nodes or tuple(self.configs)
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._start, chosen))
        for node in chosen:
            self.wait_for(lambda node=node: self.answers(node), 20, f"aerod on {node}")
        if "r1" in chosen:
            self._stand_in_for_bgp()

    def _start(self, node: str) -> None:
        config = str(self.write_config(node))
        prepare = ("ip", "netns", "exec", self.prefix + node, *self.command, "--config", config, "--prepare", "--user", "root")
        done = subprocess.run(prepare, capture_output=True, text=True, cwd=_DIRECTORY, check=False)
        assert done.returncode == 0, done.stderr
        files = str(self.directory / node)
        self.spawn(node, node, *self.command, "--config", config, "--state-dir", files, "--run-dir", files)
        if NODES[node].role == "server" and "r1" in self.nodes:
            for destination in ("::/0", "0.0.0.0/0"):
                self.route(node, destination, "r1", "table", "8060")

    def answers(self, node: str) -> bool:
        """Whether aerod is up; AssertionError if it has ended."""
        assert self._processes[node].poll() is None, self.log(node)
        return self.ask(node, "status") is not None

    def check_config(self, node: str) -> str:
        """What ``aerod --check`` says about the configuration: the empty string if it is good."""
        path = self.write_config(node)
        done = subprocess.run([*self.command, "--check", str(path)], capture_output=True, text=True, cwd=_DIRECTORY, check=False)
        assert (done.returncode == 0) == (not done.stderr), done
        return done.stderr

    def spawn(self, name: str, node: str, *command: str, **variables: str) -> None:
        """Start any process in the namespace of ``node``; its output is ``log(name)``."""
        with (self.directory / f"{name}.log").open("a") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.prefix + node, *command],
                stdout=log, stderr=log, cwd=_DIRECTORY, env=os.environ | variables,
            )  # fmt: skip

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process that was started here, and wait for its end."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(10)
        finally:
            process.kill()

    def log(self, name: str) -> str:
        """All that a process wrote."""
        path = self.directory / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def resident(self, name: str) -> int:
        """The bytes of memory that a process has."""
        statm = Path(f"/proc/{self._processes[name].pid}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # Routes: what BGP would do

    def route(self, node: str, prefix: str, via: str, *more: str, verb: str = "replace") -> None:
        """A kernel route of the routing daemon, ``via`` the fe80::ID of a node."""
        family = "-6" if ":" in prefix else "-4"
        gateway = ("via", "inet6", NODES[via].link_local, "dev", "aero0", "proto", "bird")
        self.run(node, "ip", family, "route", verb, prefix, *gateway, *more)

    def _stand_in_for_bgp(self) -> None:
        from tests.conformance.fakes import FakeBgp

        if not hasattr(self, "bgp"):
            self.bgp = self.closing(FakeBgp(self))

    # Asking

    def run(self, node: str, *command: str, check: bool = True, given: str | None = None) -> str:
        """The output of a command in the namespace of ``node``."""
        return run("ip", "netns", "exec", self.prefix + node, *command, check=check, given=given)

    def ip(self, node: str, *lines: str) -> None:
        """ip(8) commands in the namespace of ``node``, all in one go."""
        run("ip", "-n", self.prefix + node, "-batch", "-", given="\n".join(lines) + "\n")

    def show(self, node: str, *arguments: str) -> list[dict[str, Any]]:
        """What ``ip -j`` shows, nothing for a table that does not exist."""
        return json.loads(self.run(node, "ip", "-j", *arguments, check=False) or "[]")

    def ask(self, node: str, command: str, **arguments: Any) -> Any:
        """What aerod answers on its control socket, as aeroctl asks; None if it does not run."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(self.directory / node / "aerod.sock"))
                connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
                answer = json.loads(connection.makefile().readline())
        except (OSError, ValueError):
            return None
        assert answer["ok"], answer
        return answer["result"]

    def neighbors(self, node: str, kind: str | None = None) -> list[dict[str, Any]]:
        """The neighbor cache."""
        return self.ask(node, "neighbors", **({"kind": kind} if kind else {})) or []

    def dump(self, node: str) -> list[str]:
        """The neighbor cache without the times, to be compared."""
        times = ("expires_in", "since", "since_ago")
        rows = ({k: v for k, v in row.items() if k not in times and not k.endswith("_in")} for row in self.neighbors(node))
        return sorted(json.dumps(row, sort_keys=True) for row in rows)

    def counters(self, node: str) -> dict[str, int]:
        """The counters that are not zero."""
        return self.ask(node, "counters") or {}

    def drops(self, node: str) -> int:
        """How many packets a node has dropped, for whatever reason."""
        return sum(count for name, count in self.counters(node).items() if name.startswith("drop_"))

    def is_bound(self, client: str) -> bool:
        """Whether a Client has a lease from every Server it wants."""
        leases = self.ask(client, "leases") or []
        return len(leases) >= self.configs[client]["client"]["server_count"] and all(
            lease["state"] == "bound" for lease in leases
        )

    @staticmethod
    def wait_for(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
        """The first true value of ``condition``; AssertionError when there is none in time."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"{what or condition} did not come true in {seconds} s"
            time.sleep(0.05)

    # Packets

    def capture(self, node: str = "u", interface: str | None = None, outgoing: bool = False) -> Capture:
        """Capture in the namespace of ``node``, until the end of the test; on ``u`` each frame once, with the node that sent it."""
        return Capture(self.prefix + node, interface, outgoing)

    def mac(self, node: str, interface: str = "eth0") -> str:
        (link,) = self.show(node, "link", "show", interface)
        return link["address"]

    def send_frame(self, node: str, target: str, packet: bytes, interface: str = "eth0", target_interface: str = "eth0") -> None:
        """Put an IP packet, as it is, on a wire of ``node``, for the card of ``target``."""
        key = (node, interface)
        if key not in self._injectors:
            with inside(self.prefix + node):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                made.bind((interface, 0))
            self._injectors[key] = made
        if not hasattr(self, "_macs"):
            self._macs: dict[tuple[str, str], str] = {}
        for place in (key, (target, target_interface)):
            if place not in self._macs:
                self._macs[place] = self.mac(*place)
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
        header = Ether(src=self._macs[key], dst=self._macs[target, target_interface], type=kind)
        self._injectors[key].send(bytes(header) + packet)

    def inject(
        self,
        payload: bytes,
        source: str | tuple[str, int],
        target: str,
        *,
        by: str = "x",
        sport: int = AERO_PORT,
        dport: int = AERO_PORT,
        checksum: int | None = None,
        family: int | None = None,
        **outer: Any,
    ) -> None:
        """Send a UDP payload from ``x`` with a borrowed source: that of a node, or (address, port).

        ``outer`` sets fields of the outer IP header by scapy's names (ttl, tos, hlim, tc, fl, flags);
        ``checksum`` None is the right one, any number goes out as it is.
        """
        version = family or self.family
        if isinstance(source, tuple):
            address, sport = source
            version = 6 if ":" in address else 4
        else:
            address = self.address(source, version)
        udp = UDP(sport=sport, dport=dport, **({} if checksum is None else {"chksum": checksum}))
        ip = (IPv6 if version == 6 else IP)(src=address, dst=self.address(target, version), **outer)
        self.send_frame(by, target, bytes(ip / udp / Raw(payload)))

    def from_host(self, host: str, packet: bytes) -> None:
        """Send an inner packet, as it is, from a host behind a Client."""
        self.send_frame(host, HOSTS[host][0], packet, "eth0", "eth9")

    def ping(self, node: str, address: str, size: int = 64, *more: str, df: bool = True, count: int = 1) -> str:
        """The output of ping with packets of ``size`` bytes, IP header included."""
        payload = str(size - (48 if ":" in address else 28))
        fragmenting = "do" if df else "dont"
        command = ("ping", "-n", f"-c{count}", "-i0.2", "-W2", "-M", fragmenting, "-s", payload, *more, address)
        return self.run(node, *command, check=False)

    def pings(self, node: str, address: str, size: int = 64, *more: str, df: bool = True) -> bool:
        """Whether one echo is answered."""
        return " 1 received" in self.ping(node, address, size, *more, df=df)

    @contextlib.contextmanager
    def no_effect(self, node: str, capture: Capture, seconds: float = 2.0) -> Iterator[None]:
        """What is done inside changes nothing at ``node`` and brings nothing from it within ``seconds``.

        Neither on the underlay (``capture`` is of ``u``), nor in its cache, nor to its kernel's AERO interface.
        """
        before = self.dump(node)
        with Capture(self.prefix + node, "aero0") as up:
            capture.clear()
            yield
            time.sleep(seconds)
            sent = [frame for frame in capture.find(lambda f: f.node == node and (f.is_udp or f.protocol in (1, 4, 41)))
                    if frame.dhcp is None]  # fmt: skip
            assert not sent, f"{node} sent {sent[:5]}"
            assert not up.frames, f"{node} took {up.frames[:5]}"
        assert self.dump(node) == before


def _toml(config: dict[str, Any]) -> str:
    """TOML of two levels; JSON writes its values."""
    lines = []
    for table, values in config.items():
        for entry in values if isinstance(values, list) else [values]:
            lines.append(f"[[{table}]]" if isinstance(values, list) else f"[{table}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n"


def remove_leftovers() -> None:
    """Remove the namespaces of runs that were killed."""
    for entry in json.loads(run("ip", "-j", "netns", "list") or "[]"):
        name = entry["name"]
        if name.startswith(_PREFIX):
            pid = name.removeprefix(_PREFIX).partition("-")[0]
            if not Path(f"/proc/{pid}").exists():
                run("ip", "netns", "del", name, check=False)


def missing() -> str | None:
    """What this machine lacks for the suite."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    programs = [name for name in ("ip", "ping", "nft") if shutil.which(name) is None]
    return f"needs {', '.join(programs)}" if programs else None
