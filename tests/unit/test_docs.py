# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation against the code: variables, counters, commands and links."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.aero.link.plugins.module_utils._variables import (
    CLIENT,
    INFRASTRUCTURE,
    LINK,
    NAME_SERVER,
    NODE,
    OF_ANY_HOST,
    RELAY,
    REQUIRED,
    ROLE_GROUPS,
    SERVER,
    VARIABLES,
)

from tests.conformance.requirements import described, load, numbers_with_test

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

EVERY = VARIABLES | OF_ANY_HOST
GROUPS = {*ROLE_GROUPS, "aero_nodes", "aero_name_servers", "aero_retired"}
WHERE = {
    "Relay": {RELAY},
    "Server": {SERVER},
    "Client": {CLIENT},
    "Relay, Server": INFRASTRUCTURE,
    "node": NODE,
    "host": LINK,
    "name server": {NAME_SERVER},
}


def _table_of_variables() -> dict[str, dict[str, str]]:
    rows = re.findall(
        r"^\| `(aero_\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| (.+) \|$",
        (ROOT / "docs" / "variables.md").read_text(),
        re.MULTILINE,
    )
    return {name: {"where": where, "default": default} for name, where, _type, default, _meaning in rows}


DOCUMENTED = _table_of_variables()


def _as_documented(default: object) -> str:
    return f"`{default}`" if isinstance(default, str) and default else f"`{json.dumps(default)}`"


def test_every_variable_is_documented_and_none_is_invented():
    assert sorted(DOCUMENTED) == sorted(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_the_documented_default_is_the_real_one(name):
    default, shown = EVERY[name].default, DOCUMENTED[name]["default"]
    if default is REQUIRED:
        assert shown == "**required**"
    elif default is None:
        assert shown in ("derived", "none")
    else:
        assert shown == _as_documented(default)


@pytest.mark.parametrize("name", EVERY)
def test_the_documented_place_is_the_real_one(name):
    variable, where = EVERY[name], DOCUMENTED[name]["where"]
    if variable.same:
        assert where == ("link, secret" if variable.secret else "link")
    else:
        assert WHERE[where] == variable.roles


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_variable_or_group_that_is_not_there(page):
    filters = {path.stem for path in (ROOT / "plugins" / "filter").glob("*.yml")}
    known = {*DOCUMENTED, *GROUPS, *filters, "aero_link"}
    assert sorted(set(re.findall(r"\baero_[a-z_]+\b", page.read_text())) - known) == []


def test_every_drop_counter_is_explained_and_none_is_invented():
    source = "\n".join(path.read_text() for path in (ROOT / "aerod").rglob("*.py"))
    counted = set(re.findall(r'\.drop\("(\w+)"\)', source)) | set(re.findall(r'\["drop_(\w+)"\]', source))
    explained = re.findall(r"^\| `drop_(\w+)` \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(counted)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page):
    broken = []
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _unused, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert sorted(named - targets) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page):
    """A path that begins with a directory of the repository; ``*`` and ``<...>`` stand for anything."""
    tops = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    named = re.findall(rf"(?<![\w/.~-])((?:{'|'.join(tops)})/[\w./*<>-]*)", page.read_text())
    patterns = {re.sub(r"<\w+>", "*", name.rstrip("./")) for name in named}
    assert sorted(p for p in patterns if "my-site" not in p and not any(ROOT.glob(p))) == []


def test_page_of_conformance_has_the_requirements_as_they_are():
    """A run of all tests writes it; what does not depend on the run must be as in the list it is made from."""
    lines = re.findall(r"^(\| AERO-.*\|) [^|]*\| ([a-z ]+) \|$", (ROOT / "docs" / "conformance.md").read_text(), re.MULTILINE)
    requirements = list(load().values())
    assert [line for line, _result in lines] == [described(requirement) for requirement in requirements]
    tested = numbers_with_test()
    for requirement, (_line, result) in zip(requirements, lines, strict=True):
        assert result in (("passed", "failed") if requirement.number in tested else ("left out",)), requirement.id


def test_short_names_of_decisions_in_the_code_are_explained():
    places = ("aerod", "plugins", "roles", "playbooks", "inventories", "tests")
    files = [path for place in places for path in (ROOT / place).rglob("*") if path.suffix in (".py", ".yml", ".j2")]
    named = {name for path in files for name in re.findall(r"\b(?:D\d+|O-\d+)\b", path.read_text())}
    explained = re.findall(r"^\| (D\d+|O-\d+) \|", (ROOT / "docs" / "decisions.md").read_text(), re.MULTILINE)
    assert sorted(named - set(explained)) == []
