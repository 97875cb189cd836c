# SPDX-License-Identifier: GPL-3.0-or-later
"""A Relay or Server in a network namespace, with its daemons, its disk and its cable."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical
from ansible_collections.aero.link.plugins.module_utils._back_end_kea import KeaError

from aerod import aeroctl
from tests import postgres
from tests.chaos import plan
from tests.chaos.processes import ROOT, Supervised, Supervisor
from tests.kea import OwnKea, bring
from tests.namespaces import Namespaces, run

HUB = "hub"
AEROD = [sys.executable, "-m", "aerod", "aerod"]
# What runs on Relays, and on Servers by their DHCPv6 back end, in the order of a boot.
DAEMONS = {
    "relay": ("aerod", "bird"),
    "kea": ("aerod", "kea", "bird"),
    "kea_postgresql": ("postgresql", "aerod", "kea", "bird"),
}
# Kea's leases take 50 kB a minute, and are compacted once an hour.
DISK_SIZE = 16 << 20
_TIMEOUT = 10


class Node:
    """What is on disk survives everything; what is in the namespace does not."""

    def __init__(
        self, described: plan.Node, spaces: Namespaces, clients: int, supervisor: Supervisor, back_end: str
    ) -> None:
        self.plan = described
        self.name = described.name
        self.namespace = spaces.prefix + self.name
        self._hub = spaces.prefix + HUB
        self.run_dir = spaces.directory / self.name
        self.disk = self.run_dir / "disk"
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "none", str(self.disk))
        kinds = DAEMONS[back_end if described.role == "server" else "relay"]
        self.kea = OwnKea(self.run_dir)
        # Not on the disk that may be full.
        self._cluster = postgres.Server(self.run_dir) if "postgresql" in kinds else None
        self._table = postgres.BackEnd(self._cluster) if self._cluster else self.kea
        (self.run_dir / "aerod.toml").write_text(plan.aerod_toml(described, self.run_dir))
        (self.run_dir / "bird.conf").write_text(plan.bird_conf(described, self.run_dir / "bird.log"))
        if described.role == "server":
            database = self._cluster and self._cluster.socket
            self.kea.configure(back_end, described.id, self.disk, database, **plan.LEASES)
            self._make_table(clients)
        self.daemons = {kind: Supervised(f"{self.name} {kind}", *self._command(kind)) for kind in kinds}
        supervisor.daemons += self.daemons.values()

    def _make_table(self, clients: int) -> None:
        """Fill the file, or a database that runs for this alone until the supervisor starts it."""
        try:
            if self._cluster is not None:
                self._cluster.start()
            self._table.prepare()
            self.set_table(range(1, clients + 1))
        finally:
            if self._cluster is not None:
                self._cluster.stop()

    def set_table(self, clients: Iterable[int]) -> None:
        """Let Kea know these Clients and no others."""
        if self._cluster is not None:
            self._cluster.wait()  # it may just have been killed
        bring(self._table, [canonical(plan.duid(number), plan.acps(number)) for number in clients])

    def _command(self, kind: str) -> tuple[list[str], Path]:
        files = str(self.run_dir)
        command = {
            "aerod": [
                *AEROD, "--config", f"{files}/aerod.toml", "--state-dir", str(self.disk), "--run-dir", files,
            ],
            "bird": [
                "bird", "-f", "-c", f"{files}/bird.conf", "-s", f"{files}/bird.ctl", "-P", f"{files}/bird.pid",
            ],
            "postgresql": self._cluster.command if self._cluster else [],
            "kea": self.kea.command,
        }[kind]  # fmt: skip
        return ["ip", "netns", "exec", self.namespace, *command], self.run_dir / f"{kind}.log"

    # Switching on and off

    def boot(self) -> None:
        """Connect the cable, and start all daemons."""
        port = self.name
        # A machine that restarts has the network card it had; with another one ARP would remember the old.
        card = f"02:00:00:00:00:{self.plan.id:02x}"
        cable = f"link add eth0 address {card} type veth peer name {port} netns {self._hub}"
        self.ip("link set lo up", cable, "link set eth0 up", f"addr add {self.plan.address}/8 dev eth0")
        run("ip", "-n", self._hub, "link", "set", port, "master", "br0", "up")
        self.prepare()
        for daemon in self.daemons.values():
            daemon.start()

    def prepare(self) -> None:
        """What aero-interface.service does."""
        self.inside(*AEROD, "--config", str(self.run_dir / "aerod.toml"), "--prepare", "--user", "root")

    def crash(self) -> None:
        """Lose power: nothing but the disk is left."""
        for daemon in self.daemons.values():
            daemon.stop()
        run("ip", "netns", "del", self.namespace)
        # It goes when the last packet in it has; the other end of the cable must not be in the way.
        run("ip", "-n", self._hub, "link", "del", self.name, check=False)
        run("ip", "netns", "add", self.namespace)
        for left in ("kea.sock", "kea.sock.lock", "bird.ctl", "aerod.sock"):
            (self.run_dir / left).unlink(missing_ok=True)
        for pid_file in self.run_dir.glob("*.pid"):
            pid_file.unlink()

    def remove(self) -> None:
        """Take the disk away."""
        run("umount", "--lazy", str(self.disk), check=False)

    # Cable and disk

    def cable(self, plugged: bool) -> None:
        """Pull the cable, or plug it in."""
        run("ip", "-n", self._hub, "link", "set", self.name, "up" if plugged else "down")

    def fill_disk(self) -> None:
        """Leave no byte free."""
        with contextlib.suppress(OSError), (self.disk / "rubbish").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def empty_disk(self) -> None:
        """Make room again."""
        (self.disk / "rubbish").unlink(missing_ok=True)

    # Asking

    def ip(self, *lines: str) -> None:
        """ip(8) commands, all in one go."""
        run("ip", "-n", self.namespace, "-batch", "-", given="\n".join(lines) + "\n")

    def inside(self, *command: str) -> str:
        """The output of a command, AssertionError if it fails."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *command],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return done.stdout

    def routes(self, *arguments: str) -> list[dict[str, Any]]:
        """The kernel's routes of both families."""
        found = []
        for family in ("-4", "-6"):
            command = ["ip", "-n", self.namespace, "-j", family, "route", "show", *arguments]
            shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            with contextlib.suppress(ValueError):  # of a table that does not exist it prints a half
                found += json.loads(shown)
        return found

    def ask_aerod(self, command: str, **arguments: Any) -> Any:
        """aerod's answer, None if there is none."""
        try:
            with aeroctl.connect(self.run_dir / "aerod.sock") as connection:
                connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
                answer = json.loads(connection.makefile().readline())
        except (aeroctl.ControlError, OSError, ValueError):
            return None
        return answer.get("result")

    def ask_kea(self, command: str) -> dict[str, Any] | None:
        """Kea's answer, None if there is none."""
        try:
            return self.kea.ask(command)
        except KeaError:
            return None

    def ask_bird(self, *command: str) -> str:
        """What birdc prints."""
        birdc = ["birdc", "-s", str(self.run_dir / "bird.ctl"), *command]
        try:
            return subprocess.run(birdc, capture_output=True, text=True, check=False, timeout=_TIMEOUT).stdout
        except subprocess.TimeoutExpired:
            return ""
