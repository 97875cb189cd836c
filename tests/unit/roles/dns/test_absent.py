# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks/reset.yml takes away of a name server is what role dns put there, and nothing of a site's own."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
import yaml

from tests.role_templates import ROLES, template

DNS = ROLES / "dns"
BACKENDS = yaml.safe_load((DNS / "vars" / "main.yml").read_text())["_dns_backends"]
ZONES = ["example.net", "aero.linkupnetworks.net"]


def tasks(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((DNS / "tasks" / f"{name}.yml").read_text())


def absent(*ours: str) -> list[str]:
    """The paths that go from a host on which the configurations of these backends are ours."""
    text = template("dns", "absent.yml.j2").render(
        _dns_backends=BACKENDS, _dns_ours=[BACKENDS[name] for name in ours], _dns_zones=ZONES
    )
    entries = yaml.safe_load(text)
    assert {entry["state"] for entry in entries} == {"absent"}
    return [entry["path"] for entry in entries]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_file_goes_and_the_configuration_last(backend):
    (placed,) = [task["aero.link.node_files"]["files"] for task in tasks("main") if "aero.link.node_files" in task]
    render = jinja2.Environment().from_string
    server = BACKENDS[backend]
    paths = {render(entry["path"]).render(_dns_server=server) for entry in placed if entry.get("state") != "absent"}
    assert server["config"] in paths and len(paths) == 4
    gone = absent(backend)
    assert paths | {f"{server['zones']}/{zone}.zone" for zone in ZONES} <= set(gone)
    assert gone[-1] == server["config"]


def test_nothing_of_a_site_goes():
    gone = absent()
    assert all("aero" in path.rpartition("/")[2] for path in gone), gone
    assert set(absent("knot")) & {f"/var/lib/bind/{zone}.zone" for zone in ZONES} == set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_a_name_server_of_ours_is_stopped(backend):
    """Known by its drop-in, which goes after the unit was stopped."""
    server = BACKENDS[backend]
    stopped = {"name": server["unit"], "enabled": False, "state": "stopped", "if_exists": server["drop_in"]}
    assert server["stopped"] == stopped
    for name in ("main", "absent"):
        verbs = [verb for task in tasks(name) for verb in task if verb.startswith("aero.link.")]
        assert verbs[:2] == ["aero.link.node_services", "aero.link.node_files"]
