# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say of themselves, against what they have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted((ROOT / "roles").iterdir())
SECRET = re.compile(r"password|secret")


def specs(role: Path) -> dict:
    return yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]


def options(spec: dict):
    """All options of an entry point, also those inside others."""
    for name, option in spec["options"].items():
        yield name, option
        yield from options({"options": option.get("options", {})})


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_are_those_documented(role: Path) -> None:
    """Also that each is documented at all."""
    path = role / "defaults" / "main.yml"
    defaults = yaml.safe_load(path.read_text()) if path.exists() else {}
    documented = {name: option.get("default") for name, option in specs(role)["main"]["options"].items()}
    assert {name: documented.get(name) for name in defaults} == defaults


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_whatever_playbooks_enter_is_documented(role: Path) -> None:
    """By the name by which it is entered, or Ansible would not find it."""
    entered = {"main"}
    for playbook in (ROOT / "playbooks").glob("*.yml"):
        entered |= set(re.findall(rf"name: aero\.link\.{role.name}\n\s+tasks_from: (\S+)", playbook.read_text()))
    assert entered <= specs(role).keys()
    for name, spec in specs(role).items():
        assert (role / "tasks" / f"{name}.yml").exists()
        assert spec["short_description"] and spec["description"] and spec["author"] and spec["version_added"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_secrets_are_said_to_be_secret(role: Path) -> None:
    found = [(name, option) for spec in specs(role).values() for name, option in options(spec)]
    assert [name for name, option in found if SECRET.search(name) and not option.get("no_log")] == []
