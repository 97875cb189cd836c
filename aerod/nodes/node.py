# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that a configuration describes."""

from __future__ import annotations

from random import Random
from typing import Any

from aerod.config import Config
from aerod.nodes.base import Node
from aerod.nodes.client import Client
from aerod.nodes.relay import Relay
from aerod.nodes.server import Server

_ROLES: dict[str, type[Node]] = {"client": Client, "relay": Relay, "server": Server}


def make_node(config: Config, now: float, saved: dict[str, Any] | None, random: Random) -> Node:
    """Return a started node; ``saved`` is what ``saved_state`` gave ``saved["age"]`` seconds ago."""
    node = _ROLES[config.node.role](config, now, random)
    node.start(saved or {}, now)
    return node
