# SPDX-License-Identifier: GPL-3.0-or-later
"""One place for variables and defaults: whatever repeats them must say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.aero.link.plugins.module_utils import _variables
from ansible_collections.aero.link.plugins.module_utils._model_values import Place
from ansible_collections.aero.link.plugins.module_utils._variables import (
    OF_ANY_HOST,
    REQUIRED,
    VARIABLES,
    is_known,
)

ROOT = Path(_variables.__file__).parents[2]
EXAMPLE = ROOT / "inventories" / "example"


EVERY = VARIABLES | OF_ANY_HOST


def _load(pattern, folder):
    return {path: yaml.safe_load(path.read_text()) or {} for path in sorted(folder.glob(pattern))}


@pytest.mark.parametrize(
    "name", [name for name, variable in EVERY.items() if variable.default not in (REQUIRED, None)])
def test_default_is_an_allowed_value(name):
    errors = []
    EVERY[name].check(EVERY[name].default, Place(errors, "", name))
    assert errors == []


def test_roles_repeat_no_other_default():
    differing = [
        f"{path.relative_to(ROOT)}: {name} = {value!r}"
        for path, defaults in _load("*/defaults/main.yml", ROOT / "roles").items()
        for name, value in defaults.items()
        if name in VARIABLES and value != VARIABLES[name].default
    ]
    assert differing == []


def test_argument_specs_repeat_no_other_default():
    differing = [
        f"{path.relative_to(ROOT)}: {name} = {option['default']!r}"
        for path, specs in _load("*/meta/argument_specs.yml", ROOT / "roles").items()
        for entry in specs["argument_specs"].values()
        for name, option in entry.get("options", {}).items()
        if name in VARIABLES and "default" in option and option["default"] != VARIABLES[name].default
    ]
    assert differing == []


def test_roles_and_playbooks_have_no_public_variable_that_the_model_does_not_know():
    unknown = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, defaults in _load("*/defaults/main.yml", ROOT / "roles").items()
        for name in defaults
        if name.startswith("aero_") and not is_known(name)
    ]
    assert unknown == []


def test_the_example_explains_every_variable_and_shows_its_default():
    """Each stands in group_vars, or in hosts.yml if it is of one host only, with a comment above."""
    text = "".join(path.read_text() for path in [*EXAMPLE.rglob("*.yml"), *EXAMPLE.rglob("*.example")])
    assert [name for name in EVERY if f"{name}:" not in text] == []
    shown = {}
    for values in _load("group_vars/*/*.yml", EXAMPLE).values():
        shown.update(values)
    differing = {name: value for name, value in shown.items()
                 if name in EVERY and EVERY[name].default not in (REQUIRED, None, "", value)}
    assert differing == {}


def test_every_variable_of_the_example_has_a_comment():
    bare = []
    for path in [*EXAMPLE.glob("group_vars/*/*.yml"), *EXAMPLE.glob("group_vars/*/*.example")]:
        before = ""
        for line in path.read_text().splitlines():
            # Variables without a blank line between share the comment above them.
            if line.startswith("aero_") and not before.startswith(("#", "aero_")):
                bare.append(f"{path.name}: {line}")
            before = line
    assert bare == []
