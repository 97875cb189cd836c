# SPDX-License-Identifier: GPL-3.0-or-later
"""The link whose delegations are measured: a Relay, two Servers, and the Clients' network, in namespaces.

The chaos test's names, addresses and configurations, the role's own DHCPv6 servers; whatever runs is started and
stopped one by one.  The Servers have one table between them: a file that both read, or one database.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from ansible_collections.aero.link.plugins.module_utils._back_end_isc import Isc

from tests.bench.delegation_load import MASTER
from tests.bench.delegation_table import ISC_CONFIG, ISC_TABLE
from tests.bench.figures import most_memory
from tests.chaos import plan
from tests.chaos.node import AEROD, HUB
from tests.chaos.processes import ROOT
from tests.kea import OwnKea
from tests.namespaces import Namespaces, wait_for
from tests.postgres import Server as Cluster
from tests.role_templates import render

CLIENTS = "clients"
_GATEWAY = "10.255.255.1"
_RELAY, _SERVERS = "r1", ("s1", "s2")
_TAP = "aero-dhcp0"
# How perfdhcp reaches a DHCPv6 server of its own: by a cable, without anything of AERO.
_PLAIN, PERFDHCP = "plain", "perfdhcp"


class BenchLink:
    """The namespaces with their network; ``back_end`` is a DHCPv6 back end of the link."""

    def __init__(self, back_end: str) -> None:
        self.spaces = Namespaces()
        self.place = self.spaces.directory / "place"
        self.relay = Host(self.spaces, plan.NODES[_RELAY], back_end, self.place)
        self.servers = [Host(self.spaces, plan.NODES[name], back_end, self.place) for name in _SERVERS]
        self.plain = Host(self.spaces, replace(self.servers[0].node, name=_PLAIN), back_end, self.place)
        self.cluster: Cluster | None = None
        self.back_end = back_end

    def build(self) -> None:
        """Make everything but processes, and start the database if there is one."""
        self.spaces.add(HUB, CLIENTS, _RELAY, *_SERVERS, _PLAIN, PERFDHCP)
        self.spaces.ip(HUB, "link add br0 type bridge", "link set br0 up")
        self._cable(CLIENTS, f"{_GATEWAY}/8")
        self.spaces.ip(CLIENTS, f"route add local {plan.CLIENT_NETWORK} dev lo")
        self.place.mkdir()
        if self.back_end == "kea_postgresql":
            self.cluster = Cluster()
            self.cluster.start()
        for host in (self.relay, *self.servers):
            self._cable(host.node.name, f"{host.node.address}/8")
            # One neighbor in place of thousands.
            self.spaces.ip(host.node.name, f"route add {plan.CLIENT_NETWORK} via {_GATEWAY}")
            host.prepare()
        self._connect_plain()
        for host in (*self.servers, self.plain):
            host.write_dhcp_config(self.cluster)
        shutil.copy(self.servers[0].config, self.place)

    def _cable(self, name: str, address: str) -> None:
        self.spaces.ip(
            name, f"link add eth0 type veth peer name {name} netns {self.spaces.prefix}{HUB}",
            "link set eth0 up", f"addr add {address} dev eth0",
        )  # fmt: skip
        self.spaces.ip(HUB, f"link set {name} master br0 up")

    def _connect_plain(self) -> None:
        """Where the DHCPv6 server expects aerod there is a cable to perfdhcp."""
        name = _TAP if self.back_end == "isc" else "aero0"
        peer = f"{self.spaces.prefix}{PERFDHCP}"
        self.spaces.ip(
            _PLAIN, f"link add {name} type veth peer name eth0 netns {peer}",
            f"addr add {self.plain.node.link_local}/64 dev {name} nodad", f"link set {name} up",
        )  # fmt: skip
        self.spaces.ip(PERFDHCP, "addr add fe80::64/64 dev eth0 nodad", "link set eth0 up")

    def remove(self) -> None:
        """End and remove everything."""
        self.spaces.destroy()
        if self.cluster is not None:
            self.cluster.destroy()

    def namespace(self, name: str) -> str:
        return self.spaces.prefix + name


class Host:
    """The daemons of a Relay or Server, called aerod, dhcp and bird; each has a log of its name.

    The DHCPv6 server's table is in ``place``, or in the database.
    """

    def __init__(self, spaces: Namespaces, node: plan.Node, back_end: str, place: Path) -> None:
        self.node = node
        self._spaces = spaces
        self._back_end = back_end
        self._files = spaces.directory / node.name
        self.toml, self._psk_toml = self._files / "aerod.toml", self._files / "psk.toml"
        self._place = place
        self._kea = OwnKea(self._files, place)
        self.config = str(self._files / ISC_CONFIG) if back_end == "isc" else self._kea.config
        self._state = self._files / "state"
        self._database: Path | None = None

    def prepare(self) -> None:
        """Write the configurations, and do what aero-interface.service does."""
        self._write_tomls()
        (self._files / "keys").write_text(f"{MASTER.id} {MASTER.secret.hex()}\n")
        (self._files / "bird.conf").write_text(plan.bird_conf(self.node, self._files / "bird.log"))
        command = (*AEROD, "--config", str(self.toml), "--prepare", "--user", "root")
        self._spaces.run(self.node.name, *command, cwd=ROOT)

    def _write_tomls(self) -> None:
        text = plan.aerod_toml(self.node, self._files)
        if self._back_end == "isc":
            text = text.replace(f'kea_socket = "{self._files}/kea.sock"', f'dhcp_interface = "{_TAP}"')
        self.toml.write_text(text)
        self._psk_toml.write_text(f'{text}[dhcp_authentication]\nmode = "psk"\nkeys = "{self._files}/keys"\n')

    def write_dhcp_config(self, cluster: Cluster | None) -> None:
        """Write the DHCPv6 server's configuration."""
        if self._back_end == "isc":
            text = render("dhcpd6.conf.j2", "isc", self.node.id).replace("/var/lib/dhcp", str(self._files))
            Path(self.config).write_text(text.replace(Isc.path, str(self._place / ISC_TABLE)))
            (self._files / "dhcpd6.leases").touch()
            return
        self._database = cluster and cluster.socket
        self._kea.configure(self._back_end, self.node.id, database=self._database)

    # Processes

    def start_dhcp(self) -> None:
        """Start the DHCPv6 server."""
        dhcpd = ("dhcpd", "-6", "-f", "-q", "--no-pid", "-cf", self.config, _TAP)
        command = dhcpd if self._back_end == "isc" else self._kea.command
        self._spaces.spawn(self._process("dhcp"), self.node.name, *command)

    def load(self) -> None:
        """Have the DHCPv6 server answer by the table it was switched to, as the unit's reload or restart does."""
        if self._back_end == "isc":
            self.stop("dhcp")
            self.start_dhcp()
        elif self._database is None:
            self._kea.load()

    def start_aerod(self, psk: bool = False) -> None:
        """Start aerod with nothing remembered; the Relays will not know of it until bird runs."""
        shutil.rmtree(self._state, ignore_errors=True)
        self._state.mkdir()
        directories = ("--state-dir", str(self._state), "--run-dir", str(self._files))
        command = (*AEROD, "--config", str(self._psk_toml if psk else self.toml), *directories)
        self._spaces.spawn(self._process("aerod"), self.node.name, *command, cwd=ROOT)
        wait_for((self._files / "aerod.sock").exists, 10, "aerod's socket")

    def start_bird(self) -> None:
        """Start BIRD."""
        files = str(self._files)
        command = ("bird", "-f", "-c", f"{files}/bird.conf", "-s", f"{files}/bird.ctl", "-P", f"{files}/bird.pid")
        self._spaces.spawn(self._process("bird"), self.node.name, *command)

    def has_session(self) -> bool:
        """Whether BIRD has a BGP session."""
        command = ("birdc", "-s", f"{self._files}/bird.ctl", "show", "protocols")
        return "Established" in self._spaces.run(self.node.name, *command, check=False)

    def stop(self, kind: str) -> None:
        """End a daemon."""
        self._spaces.kill(self._process(kind))
        (self._files / f"{kind}.sock").unlink(missing_ok=True)

    def _process(self, kind: str) -> str:
        return f"{self.node.name} {kind}"

    def log(self, kind: str) -> str:
        """The end of a daemon's log."""
        return self._spaces.log(self._process(kind))[-2000:]

    # Costs

    def cpu(self, kind: str) -> float:
        """The seconds of CPU that a daemon has used, with those of PostgreSQL where Kea has it."""
        used = _cpu(self._spaces.pid(self._process(kind)))
        return used + sum(map(_cpu, self._database_pids())) if kind == "dhcp" else used

    def most_memory(self, kind: str) -> int:
        """The most bytes that a daemon has held."""
        return most_memory(self._spaces.pid(self._process(kind)))

    def _database_pids(self) -> list[int]:
        """The database's main process and those it has now."""
        if self._database is None:
            return []
        main = int((self._database / "data" / "postmaster.pid").read_text().splitlines()[0])
        return [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]

    def database_memory(self) -> int:
        """The bytes that the database holds, shared ones once."""
        found = 0
        for pid in self._database_pids():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            found += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return found


def _cpu(pid: int) -> float:
    """By the nanosecond, where /proc/PID/stat has ticks."""
    used = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        used += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return used / 1e9
