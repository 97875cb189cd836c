# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as they are, with tasks that only contact the host in place of those that would change it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aero.link.tests.unit.plugins.action.example_inventory import COLLECTION, Inventory

# What a task does here instead of what it would do: it needs an answer of the host, and may be told to fail.
CONTACT = {
    "ansible.builtin.raw": "echo here",
    "failed_when": "inventory_hostname in failing[playing] | default([])",
    "vars": {"playing": "{{ ansible_play_name }}"},
}
ROLES = ("ansible.builtin.import_role", "ansible.builtin.include_role")
MODULES = ("aero.link.preflight", "aero.link.dns_rrsets", "aero.link.node_info")
CONTROLLER = ("aero.link.psk_file",)


def harmless(play: dict[str, Any]) -> dict[str, Any]:
    """The play with the same hosts and the same rules about failures, which changes nothing anywhere."""
    if "ansible.builtin.import_playbook" in play:
        return play
    roles = [{"name": role} | CONTACT for role in play.get("roles", ())]
    kept = {key: value for key, value in play.items() if key not in ("roles", "become", "tasks")}
    return kept | {"tasks": [*roles, *map(_harmless_task, play.get("tasks", ()))]}


def _harmless_task(task: dict[str, Any]) -> dict[str, Any]:
    if any(name in task for name in (*ROLES, *MODULES)):
        kept = {
            key: value
            for key, value in task.items()
            if "." not in key and key not in ("become", "delegate_to")
        }
        return kept | CONTACT | {"vars": task.get("vars", {}) | CONTACT["vars"]}
    if any(name in task for name in CONTROLLER):
        return {
            "name": task["name"],
            "ansible.builtin.set_fact": {"_aero_step": {"secrets": []}},
            "run_once": True,
        }
    return task


class Link:
    """The example's hosts, of whom some do not answer, and the plays that each got to."""

    def __init__(self, folder: Path) -> None:
        self.inventory = Inventory(folder)
        self.folder = folder
        shutil.copytree(COLLECTION / "playbooks", folder / "playbooks")
        for path in (folder / "playbooks").glob("*.yml"):
            path.write_text(
                yaml.safe_dump([harmless(play) for play in yaml.safe_load(path.read_text())], sort_keys=False)
            )

    def run(
        self,
        playbook: str,
        *arguments: str,
        silent: tuple[str, ...] = (),
        failing: dict[str, list[str]] | None = None,
    ) -> Run:
        """Run a playbook while the hosts ``silent`` do not answer and, by the play's name, those ``failing`` fail."""
        self.inventory.group("all", ansible_connection="local", failing=failing or {})
        for host in silent:
            nowhere = {"ansible_nsenter_pidfile": "/nonexistent", "ansible_nsenter_netns": "/nonexistent"}
            self.inventory.host(host, ansible_connection="aero.link.nsenter", **nowhere)
        code, output = self.inventory.run(
            *arguments, playbook=str(self.folder / "playbooks" / f"{playbook}.yml")
        )
        return Run(code, output)


class Run:
    """What a run has said."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output
        self.text = " ".join(output.split())

    def did(self, play: str) -> set[str]:
        """The hosts on which a task of this play did something."""
        parts = re.split(r"^PLAY \[(.*)\] \**$", self.output, flags=re.MULTILINE)
        return {
            host
            for name, said in zip(parts[1::2], parts[2::2], strict=True)
            if name == play
            for host in re.findall(r"^changed: \[(\w+)", said, re.MULTILINE)
        }


@pytest.fixture
def link(tmp_path: Path) -> Link:
    return Link(tmp_path)
