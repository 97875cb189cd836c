# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the readers of the ACP table's forms (CSV, YAML, JSON, data) have in common.

A reader yields one ``Raw`` for each row, texts as they stand there, and tells ``Mistakes`` what is wrong with
the form. What the texts mean is not its business.
"""

from __future__ import annotations

import difflib
import re
import typing as t

REQUIRED = ("client_id", "acps")
COLUMNS = (*REQUIRED, "name", "key", "comment")
_LEAST, _MOST = frozenset(REQUIRED), frozenset(COLUMNS)
NOT_SHOWN = "(not shown)"  # for keys, and what may be one

# A word of the column acps that asks for a prefix: its family and length.
AUTO = re.compile(r"auto(4?)/([0-9]{1,3})")
_MAYBE_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_LONGEST_SHOWN = 160


class Raw(t.NamedTuple):
    """One row. ``autos``: where its words "auto/..." stand in the text of the file, as (start, end)."""

    line: int
    client_id: str
    acps: str
    name: str = ""
    key: str = ""
    autos: tuple[tuple[int, int], ...] = ()


class Mistakes:
    """Collects what is wrong, each as one line that names the place, the value and what is allowed."""

    def __init__(self, place: str, before: str) -> None:
        """``place`` makes "FILE:3" of 3, ``before`` makes "on line 3" of it."""
        self._place, self._before = place, before
        self._found: list[tuple[int, str]] = []
        self.has_keys = False

    @classmethod
    def of_file(cls, path: str) -> Mistakes:
        return cls(path.replace("{", "{{").replace("}", "}}") + ":{}", "on line {}")

    @classmethod
    def of_data(cls, name: str) -> Mistakes:
        """Of a list in a variable; the number of a row is its position from 0."""
        return cls(name + "[{}]", "in [{}]")

    @property
    def lines(self) -> list[str]:
        return [text for _line, text in sorted(self._found)]

    def before(self, line: int) -> str:
        return self._before.format(line)

    def refuse(self, line: int, column: str, value: str, why: object) -> None:
        """``why`` reads "what is wrong; allowed: what would be right"."""
        if self.has_keys and _MAYBE_KEY.search(value):
            # Columns get mixed up, and then a key stands where it is not looked for.
            value = NOT_SHOWN
        elif len(value) > _LONGEST_SHOWN:
            value = f"{value[:_LONGEST_SHOWN - 3]}..."
        self._found.append((line, f"{self._place.format(line)}: {column} = {value}: {why}"))

    def refuse_whole(self, text: str) -> None:
        """A mistake that has no line."""
        self._found.append((0, text))


def check_columns(line: int, names: t.Sequence[str], mistakes: Mistakes) -> bool:
    """Whether a row, or the header of a table, has the columns it must have, each once, and no others."""
    good = True
    for position, name in enumerate(names):
        if name not in COLUMNS:
            close = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            mistakes.refuse(line, "column", name, f"unknown; {hint}allowed: {', '.join(COLUMNS)}")
            good = False
        elif name in names[:position]:
            mistakes.refuse(line, "column", name, "there twice; allowed: each column once")
            good = False
    for name in REQUIRED:
        if name not in names:
            mistakes.refuse(line, "column", name, "missing; allowed: client_id and acps in every row")
            good = False
    return good


def record(line: int, fields: t.Mapping[str, t.Any], mistakes: Mistakes) -> Raw | None:
    """The row in a dictionary; None where it cannot be read as one."""
    if "key" in fields:
        mistakes.has_keys = True
    if not _LEAST <= fields.keys() <= _MOST and not check_columns(line, list(fields), mistakes):
        return None
    client_id = _text(line, "client_id", fields["client_id"], "the DUID as a text, in quotes", mistakes)
    acps = _acps(line, fields["acps"], mistakes)
    name = _text(line, "name", fields.get("name"), "a text", mistakes)
    key = _text(line, "key", fields.get("key"), "hexadecimal digits as a text, in quotes", mistakes)
    return None if client_id is None or acps is None else Raw(line, client_id, acps, name or "", key or "")


def _text(line: int, column: str, value: t.Any, allowed: str, mistakes: Mistakes) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if column == "name" and isinstance(value, (int, float)):
        return str(value)
    shown = NOT_SHOWN if column == "key" else str(value)
    mistakes.refuse(line, column, shown, f"not a text; allowed: {allowed}")
    return None


def _acps(line: int, value: t.Any, mistakes: Mistakes) -> str | None:
    """The words, joined by spaces."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    if value is None:
        return ""
    mistakes.refuse(line, "acps", str(value), "neither a text nor a list of texts; "
                    "allowed: one or more prefixes")
    return None
