# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of the control socket: what the node says, and what only the shell knows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import aerod
from aerod.address import Prefix, parse_address
from aerod.config import Config
from aerod.interface import LeasedPrefix
from aerod.nodes.node import Node
from aerod.shell import clock
from aerod.shell.kernel import Kernel

ENGINE = "plain"


class Operator:
    """Answers an operator's questions about ``node``.

    ``counters`` gives the shell's own, ``save_error`` why the state cannot be saved, None if it can.
    """

    def __init__(
        self,
        config: Config,
        node: Node,
        kernel: Kernel,
        counters: Callable[[], Counter[str]],
        save_error: Callable[[], str | None],
    ) -> None:
        self._config = config
        self._node = node
        self._kernel = kernel
        self._counters = counters
        self._save_error = save_error
        self._started = time.time()
        self._leased: list[dict[str, Any]] = []

    def commands(self, done: Callable[[], None]) -> dict[str, Callable[..., Any]]:
        """The commands by name; ``done`` is called after one that makes the node act."""

        def release() -> dict[str, Any]:
            result = self._node.release(clock.now())
            done()
            return result

        def move(address: str | None = None) -> dict[str, Any]:
            result = self._node.move(clock.now(), None if address is None else parse_address(address))
            done()
            return result

        def drain(stop: bool = False) -> dict[str, Any]:
            result = self._node.drain(clock.now(), stop)
            done()
            return result

        def recall(prefixes: list[str]) -> dict[str, Any]:
            result = self._node.recall([Prefix.parse(prefix) for prefix in prefixes], clock.now())
            done()
            return result

        return {
            "status": self._status,
            "neighbors": self._neighbors,
            "leases": lambda: self._node.leases(clock.now()),
            "counters": lambda: dict(sorted((Counter(self._node.counters()) + self._counters()).items())),
            "lookup": self._lookup,
            "redirects": self._redirects,
            "move": move,
            "drain": drain,
            "recall": recall,
            "damping": lambda: self._node.damping(clock.now()),
            "capabilities": lambda: self._node.capabilities(clock.now()),
            "release": release,
        }

    def _status(self) -> dict[str, Any]:
        status = self._node.status(clock.now())
        status.pop("started_ago", None)
        link = self._kernel.link(self._config.node.interface)
        return {
            "version": aerod.__version__,
            "engine": ENGINE,
            "started": self._started,
            "save_error": self._save_error(),
            "interface": {"name": self._config.node.interface, "up": bool(link and link.up)},
            **status,
        }

    def _neighbors(self, kind: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        return [_with_since(n) for n in self._node.neighbors(clock.now(), kind, limit)]

    def _lookup(self, address: str) -> dict[str, Any]:
        found = self._node.lookup(parse_address(address), clock.now())
        if found.get("neighbor"):
            found["neighbor"] = _with_since(found["neighbor"])
        return found

    def _redirects(self, address: str | None = None) -> list[dict[str, Any]]:
        return self._node.redirects(clock.now(), None if address is None else parse_address(address))

    def summary(self) -> str:
        """One line for the service's status."""
        status = self._node.status(clock.now())
        addresses = ", ".join(status["link_local"]) or "none yet"
        return f"{status['role']} {status['name']}, AERO addresses: {addresses}"

    def leases_changed(self, prefixes: tuple[LeasedPrefix, ...]) -> None:
        """Note what a Client holds from now on."""
        now = time.time()
        self._leased = [
            {
                "prefix": str(leased.prefix),
                "preferred_until": now + leased.preferred,
                "valid_until": now + leased.valid,
            }
            for leased in prefixes
        ]

    def event(self) -> dict[str, Any]:
        """What ``watch`` subscribers get: always the whole truth."""
        return {"event": "leases", "prefixes": self._leased}


def _with_since(neighbor: dict[str, Any]) -> dict[str, Any]:
    known_for = neighbor.pop("since_ago")
    return neighbor | {"since": time.time() - known_for}
