# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole link in network namespaces, and how it is looked at."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.chaos import plan
from tests.chaos.checks import RelayView, ServerView, View
from tests.chaos.node import HUB, Node
from tests.chaos.processes import ROOT, Supervisor
from tests.namespaces import Namespaces

_CLIENTS = "clients"
STRANGERS = 3
_ROUTE = re.compile(r"^(\S+/\d+)\s", re.MULTILINE)


class Link:
    """Relays, Servers and ``clients`` Clients, with some strangers that no table knows."""

    def __init__(self, clients: int, seed: int, back_end: str) -> None:
        self._spaces = Namespaces()
        self._spaces.add(HUB, _CLIENTS, *plan.NODES)
        self.count = clients
        self.supervisor = Supervisor()
        self.entitled = set(range(1, clients + 1))
        self.disk_full: set[str] = set()
        self._seed = seed
        self._clients: subprocess.Popen | None = None
        self.nodes = {
            name: Node(node, self._spaces, clients, self.supervisor, back_end)
            for name, node in plan.NODES.items()
        }

    def build(self) -> None:
        """Start everything."""
        self._spaces.ip(HUB, "link add br0 type bridge", "link set br0 up")
        with ThreadPoolExecutor() as pool:
            list(pool.map(Node.boot, self.nodes.values()))
        self._start_clients()

    def _start_clients(self) -> None:
        self._spaces.ip(
            _CLIENTS,
            f"link add eth0 type veth peer name clients netns {self._spaces.prefix}{HUB}",
            "link set eth0 up",
            "addr add 10.255.255.1/8 dev eth0",
            f"route add local {plan.CLIENT_NETWORK} dev lo",
        )
        self._spaces.ip(HUB, "link set clients master br0 up")
        arguments = [str(number) for number in (self.count, STRANGERS, self._seed)]
        self._log = (self._spaces.directory / "clients.log").open("w+")
        self._clients = subprocess.Popen(
            [*self._spaces.within(_CLIENTS), sys.executable, "-m", "tests.chaos.clients", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=ROOT,
        )  # fmt: skip

    def remove(self) -> None:
        """End all processes and remove all namespaces and mounts."""
        self.supervisor.stop()
        if self._clients is not None:
            self._clients.kill()
            self._clients.wait()
            self._log.close()
        for node in self.nodes.values():
            node.remove()
        self._spaces.destroy()

    def ask_clients(self, do: str, **arguments: Any) -> Any:
        """What the process of the Clients answers."""
        self._clients.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._clients.stdin.flush()
        line = self._clients.stdout.readline()
        assert line, f"the Clients have died: {self._log.seek(0) or self._log.read()[-3000:]}"
        return json.loads(line)

    # Looking

    def look(self) -> View:
        """Ask everybody at about the same time."""
        with ThreadPoolExecutor() as pool:
            views = dict(zip(self.nodes, pool.map(_view, self.nodes.values()), strict=True))
            clients = self.ask_clients("state")
        return View(
            {int(number): state for number, state in clients.items()},
            {name: view for name, view in views.items() if isinstance(view, ServerView)},
            {name: view for name, view in views.items() if isinstance(view, RelayView)},
            frozenset(self.entitled),
            frozenset(self.disk_full),
        )

    def tails(self, lines: int) -> str:
        """The last lines of every log."""
        return "\n".join(f"==== {d.name}\n{d.tail(lines)}" for d in self.supervisor.daemons)


def _view(node: Node) -> ServerView | RelayView:
    return _server(node) if node.plan.role == "server" else _relay(node)


def _server(node: Node) -> ServerView:
    view = ServerView()
    status, leases = node.ask_aerod("status"), node.ask_aerod("leases")
    if leases is not None and status is not None:
        view.bindings = {prefix: row["client_id"] for row in leases for prefix in row["prefixes"]}
        view.unsaved = bool(status["save_error"])
    view.routes = {_canonical(r["dst"]) for r in node.routes("dev", "aero0", "proto", "128")}
    answer = node.ask_kea("lease6-get-all")
    if answer is not None and answer["result"] in (0, 3):
        rows = answer.get("arguments", {}).get("leases", ())
        # What is not in state 0 has ended and waits to be cleared.
        view.leases = {_lease_prefix(row): row["duid"].replace(":", "") for row in rows if row["state"] == 0}
    for relay in plan.RELAYS:
        shown = set(map(_canonical, _ROUTE.findall(node.ask_bird("show", "route", "export", relay.name))))
        view.announced[relay.name] = shown - set(plan.ASPS)
    view.defaults = {_via(route) for route in node.routes("table", "8060")}
    return view


def _relay(node: Node) -> RelayView:
    status = node.ask_aerod("status")
    routes = {_canonical(r["dst"]): _via(r) for r in node.routes("dev", "aero0", "proto", "bird")}
    return RelayView(status is not None, routes, (status or {}).get("routes", 0))


def _via(route: dict[str, Any]) -> str:
    return route.get("gateway") or route.get("via", {}).get("host", "")


def _canonical(prefix: str) -> str:
    return prefix if "/" in prefix or prefix == "default" else f"{prefix}/{128 if ':' in prefix else 32}"


def _lease_prefix(row: dict[str, Any]) -> str:
    address, length = ipaddress.IPv6Address(row["ip-address"]), row["prefix-len"]
    return f"{address.ipv4_mapped}/{length - 96}" if address.ipv4_mapped else f"{address}/{length}"
