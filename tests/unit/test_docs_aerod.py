# SPDX-License-Identifier: GPL-3.0-or-later
"""``docs/aerod.md`` against what aerod reads: its examples, its keys and their defaults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aerod import config
from aerod.tables import REQUIRED, Table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "aerod.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
# Tables that the examples of the page have not.
SECRET = f'id = 1\nsecret = "{"ab" * 32}"\n'
MORE_OF_CLIENT = f"[[signature_key]]\n{SECRET}"
MORE_OF_SERVER = f"""
[[other_server]]
name = "s2"
id = 12
addresses = ["203.0.113.12"]
[[configured_client]]
name = "c2"
acps = ["2001:db8:1::/64"]
[[configured_client.link]]
link_id = 0
address = "203.0.113.101"
[[signature_secret]]
{SECRET}
[dhcp_authentication]
mode = "psk"
keys = "/etc/aero/dhcp_keys"
"""

# Where it depends on something else.
DEFAULTS_IN_WORDS = {("link", "port"): "`8060`, with `gue` `6080`"}


def _asked() -> dict[tuple[str, str], object]:
    """Each key that aerod asks for, by table: its default, or ``REQUIRED`` where every such table has to have it."""
    keys: dict[tuple[str, str], object] = {}
    take, tables = Table._take, Table.tables

    def note(table, key, default):
        place = re.sub(r"\[\d+\]", "", table._name), key
        if keys.get(place, REQUIRED) is REQUIRED:
            keys[place] = default

    def noted_take(table, key, allowed, default, fallback):
        note(table, key, default)
        return take(table, key, allowed, default, fallback)

    def noted_tables(table, key):
        if table._name:
            note(table, key, REQUIRED)
        return tables(table, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "_take", noted_take)
        patch.setattr(Table, "tables", noted_tables)
        client, server = EXAMPLES
        for text in (client + MORE_OF_CLIENT, server + MORE_OF_SERVER):
            config.parse(text, "docs/aerod.md")
    return keys


def _documented() -> dict[tuple[str, str], str]:
    """The default that the page tells of each key."""
    found = {}
    for section in re.split(r"^### (?=\[)", PAGE, flags=re.MULTILINE)[1:]:
        heading, text = section.split("\n", 1)
        for name in re.findall(r"\[([\w.]+)\]", heading):
            for key, default in re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", text, re.MULTILINE):
                found[name, key] = default
    return found


def _as_documented(default: object) -> str:
    if default is REQUIRED:
        return "**required**"
    return "none" if default is None else f"`{json.dumps(default)}`"


def test_each_key_has_its_row_and_its_default():
    wanted = {place: _as_documented(default) for place, default in _asked().items()} | DEFAULTS_IN_WORDS
    assert _documented() == wanted
