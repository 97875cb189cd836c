# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks/reset.yml takes away is all that the roles of a node ever put there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.aero.link.plugins.module_utils import _pending

ROLES = Path(__file__).resolve().parents[4] / "roles"
NODE_ROLES = ("node", "relay", "server", "client")


def variables(role: str) -> dict[str, Any]:
    return yaml.safe_load((ROLES / role / "vars" / "main.yml").read_text())


def lists(role: str) -> Iterator[Any]:
    """The variables of a role, and those of its tasks."""
    yield from variables(role).values() if (ROLES / role / "vars").is_dir() else ()
    for task in yaml.safe_load((ROLES / role / "tasks" / "main.yml").read_text()):
        yield from task.get("vars", {}).values()


def placed(value: Any) -> Iterator[str]:
    """The paths of files in a list of ``node_files``."""
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and "path" in entry and entry.get("state") != "absent":
            yield entry["path"]


def test_every_file_goes() -> None:
    node = variables("node")
    gone = [entry["path"] for entry in node["_node_absent_files"]]
    paths = {path for role in NODE_ROLES for value in lists(role) for path in placed(value)}
    assert {"/etc/bird/bird.conf", "/etc/aero/aerod.toml", "/etc/dhcp/aero-dhcpd6.conf"} <= paths
    left = [path for path in sorted(paths) if not any(path == each or path.startswith(f"{each}/") for each in gone)]
    assert left == []


def test_no_tag_goes_on_waiting() -> None:
    """A node that joins again later must not begin with what an old run has left behind."""
    assert _pending.PENDING in [entry["path"] for entry in variables("node")["_node_absent_files"]]


def test_every_unit_of_ours_stops() -> None:
    stopped = {service["name"] for service in variables("node")["_node_absent_services"]}
    ours = {Path(path).name for path in map(str, ROLES.glob("*/files/*.service"))}
    assert {name for name in ours if name.startswith("aero")} <= stopped


def test_postgresql_runs_while_the_database_is_dropped_and_not_afterwards() -> None:
    """After a change of the back end it is stopped; its drop-in, which tells that it is ours, goes last."""
    text = (ROLES / "node" / "tasks" / "absent.yml").read_text()
    order = ["_node_absent_services", "'started'", "dropdb", "'stopped'", "_node_absent_files"]
    assert sorted(order, key=text.index) == order


def test_postgresql_stops_with_the_back_end_that_needed_it() -> None:
    """Kea first: it asks it until it has another configuration."""
    server = variables("server")
    assert server["_server_postgresql_stopped"]["if_exists"] == variables("node")["_node_postgresql"]["if_exists"]
    services = {name: str(back_end["services"]) for name, back_end in server["_server_back_ends"].items()}
    assert [name for name, text in services.items() if "_server_postgresql_stopped" in text] == ["kea", "isc"]
    assert services["kea"].index("_server_kea_services") < services["kea"].index("_server_postgresql_stopped")
