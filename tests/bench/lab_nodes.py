# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick ways to the lab's nodes that a measurement needs: control sockets, and a running ip(8)."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from aerod.aeroctl import ControlError, connect
from tests.lab.door import in_namespace, on_node


def ask(node: str, command: str, **arguments: Any) -> Any:
    """What ``aeroctl`` gets from a node's control socket, without starting a Python on the node for it."""
    pid = Path(f"/run/aero-lab/{node}/pid").read_text().strip()
    with connect(Path(f"/proc/{pid}/root/run/aero/aerod.sock")) as connection:
        connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
        answer = json.loads(connection.makefile("r", encoding="utf-8").readline() or "{}")
    if not answer.get("ok"):
        raise ControlError(answer.get("error", "aerod hung up"))
    return answer["result"]


def answers(node: str) -> bool:
    try:
        ask(node, "status")
    except ControlError:
        return False
    return True


def client_at(server: str, prefix: str) -> dict[str, Any] | None:
    """The static neighbor of a Server that holds ``prefix``."""
    found = (n for n in ask(server, "neighbors", kind="static") if prefix in n["prefixes"])
    return next(found, None)


def links_at(server: str, prefix: str) -> dict[str, int]:
    """The preference of each link-layer address at which a Server knows the Client with ``prefix``."""
    client = client_at(server, prefix)
    return {link["address"]: link["preference"] for link in client["links"]} if client else {}


def server_of(relay: str, prefix: str) -> str | None:
    """The Server to which a Relay's kernel sends what is for ``prefix``."""
    routes = json.loads(on_node(relay, f"ip -j -6 route show {prefix} dev aero0"))
    names = {"fe80::b": "s1", "fe80::c": "s2"}
    return next((names[route["gateway"]] for route in routes if "gateway" in route), None)


def set_priority(niceness: int) -> None:
    """Give all processes of all nodes, and those they start later, a nice value.

    The lab is many machines in one: before the other work of that one it is less disturbed than behind.
    """
    spaces = {
        os.readlink(f"/proc/{pid.read_text().strip()}/ns/pid") for pid in Path("/run/aero-lab").glob("*/pid")
    }
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "ns/pid") in spaces:
                for thread in (process / "task").iterdir():
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)


class Ip:
    """``ip -batch`` in a namespace, started before it is needed: commands take effect as they are written."""

    def __init__(self, namespace: str) -> None:
        self._process = subprocess.Popen(
            ["ip", "-netns", f"aero-{namespace}", "-batch", "-"], stdin=subprocess.PIPE, text=True
        )

    def __call__(self, *commands: str) -> None:
        """Run commands, which must not fail: a batch ends at the first that does."""
        self._process.stdin.write("".join(f"{command}\n" for command in commands))
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.stdin.close()
        if self._process.wait():
            raise RuntimeError(f"{' '.join(self._process.args)}: exit {self._process.returncode}")


def nft(namespace: str, rules: str) -> None:
    """Load nftables rules in a node's namespace."""
    subprocess.run(in_namespace(namespace, "nft", "-f", "-"), input=rules, text=True, check=True)
