# SPDX-License-Identifier: GPL-3.0-or-later
"""The aerods of a bench: their configuration, their processes, and what they answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.conformance.plan import ASPS, NODES
from tests.namespaces import Namespaces, wait_for

TREE = Path(os.environ.get("AEROD") or Path(__file__).resolve().parents[2]).resolve()
_DIRECTORY = TREE if TREE.is_dir() else TREE.parent
scales: set[float] = set()  # the time scales that aerods were started with, until somebody clears it


class Aerods(Namespaces):
    """The part of a bench that has to do with aerod."""

    def __init__(self, nodes: tuple[str, ...], family: int, eun_mtu: int) -> None:
        super().__init__()
        self.nodes, self.family, self.eun_mtu = nodes, family, eun_mtu
        self.time_scale = 1.0
        self._moved: dict[str, tuple[str, str]] = {}
        self.configs = {name: self._default_config(name) for name in nodes if name in NODES and name != "x"}

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

    def configure(self, name: str, /, **tables: Any) -> None:
        """Change tables of aerod.toml: ``configure("c1", link={"asps": [...]}, client={"server_count": 2})``."""
        for table, values in tables.items():
            if isinstance(values, dict):
                self.configs[name].setdefault(table, {}).update(values)
            else:
                self.configs[name][table] = values

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
        both = [self.address(node, 4), self.address(node, 6)]
        return both if self.family == 4 else both[::-1]

    def address(self, node: str, family: int | None = None) -> str:
        """An underlay address of a node, behind the NAT if it is there."""
        v4, v6 = self._moved.get(node, (NODES[node].v4, NODES[node].v6))
        return v4 if (family or self.family) == 4 else v6

    # Processes

    @property
    def command(self) -> list[str]:
        """How aerod is run: from this tree, or from the zipapp or other tree that AEROD names."""
        return [sys.executable, *(["-m", "aerod"] if TREE.is_dir() else [str(TREE)]), "aerod"]

    def start(self, *nodes: str) -> None:
        """Prepare and start aerod on these nodes, or on all, and wait until they answer."""
        chosen = nodes or tuple(self.configs)
        scales.add(float(self.time_scale))
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._start, chosen))
        for node in chosen:
            self.wait_for(lambda node=node: self.answers(node), 20, f"aerod on {node}")
        self._started(chosen)

    def _started(self, nodes: tuple[str, ...]) -> None:
        """Do what follows a start."""

    def _start(self, node: str) -> None:
        command = (*self.command, "--config", str(self.write_config(node)))
        self.run(node, *command, "--prepare", "--user", "root", cwd=_DIRECTORY)
        files = str(self.directory / node)
        scale = str(self.time_scale)
        self.spawn(node, node, *command, "--state-dir", files, "--run-dir", files, cwd=_DIRECTORY, AEROD_TIME_SCALE=scale)

    def answers(self, node: str) -> bool:
        """Whether aerod is up; AssertionError if it has ended."""
        assert not self.has_ended(node), self.log(node)
        return self.ask(node, "status") is not None

    def check_config(self, node: str) -> str:
        """What ``aerod --check`` says about the configuration: the empty string if it is good."""
        path = self.write_config(node)
        done = subprocess.run([*self.command, "--check", str(path)], capture_output=True, text=True, cwd=_DIRECTORY, check=False)
        assert (done.returncode == 0) == (not done.stderr), done
        return done.stderr

    # Asking

    def ask(self, node: str, command: str, **arguments: Any) -> Any:
        """What aerod answers on its control socket, as aeroctl asks; None if it does not run."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(15)
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

    def dump(self, node: str, without: Container[str] = ()) -> list[str]:
        """The neighbor cache without the times, to be compared, and without some link-local addresses."""
        times = ("expires_in", "since", "since_ago")
        rows = [{k: v for k, v in row.items() if k not in times and not k.endswith("_in")} for row in self.neighbors(node)]
        return sorted(json.dumps(row, sort_keys=True) for row in rows if row["link_local"] not in without)

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

    wait_for = staticmethod(wait_for)


def _toml(config: dict[str, Any]) -> str:
    lines = []
    for table, values in config.items():
        for entry in values if isinstance(values, list) else [values]:
            lines.append(f"[[{table}]]" if isinstance(values, list) else f"[{table}]")
            lines += [f"{key} = {_toml_value(value)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return json.dumps(value)
