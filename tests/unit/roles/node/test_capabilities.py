# SPDX-License-Identifier: GPL-3.0-or-later
"""What aerod's unit may do: no more than the link needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.plugins.filter.core import ternary
from jinja2 import Environment

ROLE = Path(__file__).resolve().parents[4] / "roles" / "node"


@pytest.mark.parametrize(
    ("encapsulation", "udp_checksum", "state"),
    [
        ("plain", "auto", "absent"),
        ("gue", "always", "absent"),
        ("raw", "auto", "file"),
        ("plain", "never", "file"),
        ("gue", "never", "file"),
    ],
)
def test_raw_sockets_only_where_they_are_used(encapsulation: str, udp_checksum: str, state: str) -> None:
    """For raw IP, and to hear that checksums are needed where none are sent (AERO-069)."""
    files = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["_node_own_files"]
    (drop_in,) = [file for file in files if "CAP_NET_RAW" in file.get("content", "")]
    environment = Environment()
    environment.filters["ternary"] = ternary
    link = {"encapsulation": encapsulation, "udp_checksum": udp_checksum}
    assert environment.from_string(drop_in["state"]).render(aero_link=link) == state


def test_nothing_else_is_granted() -> None:
    """The unit itself has what it takes to change routes, and nothing more."""
    unit = (ROLE / "files" / "aerod.service").read_text()
    granted = [line for line in unit.splitlines() if "CAP_" in line]
    assert granted == ["AmbientCapabilities=CAP_NET_ADMIN", "CapabilityBoundingSet=CAP_NET_ADMIN"]
