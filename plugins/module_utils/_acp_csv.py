# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ACP table as CSV: a header, then one line for each Client; comments and blank lines are skipped."""

from __future__ import annotations

import csv
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_source import (
    AUTO,
    REQUIRED,
    Mistakes,
    Raw,
    check_columns,
)

# A field as it stands in a line, with its quotes if it has any.
_FIELD = re.compile(r'\s*"(?:[^"]|"")*"[^,]*|[^,]*')


def rows(text: str, mistakes: Mistakes) -> t.Iterator[Raw]:
    header: list[str] = []
    name = key = -1
    for number, start, line in _lines(text):
        stripped = line.strip()
        if not stripped or stripped[0] == "#":
            continue
        fields = _fields(number, stripped, header, mistakes)
        if not header:
            header = _header(number, fields, mistakes) if fields else []
            if not header:
                return
            client_id, acps = (header.index(column) for column in REQUIRED)
            name, key = (header.index(column) if column in header else -1 for column in ("name", "key"))
        elif len(fields) == len(header):
            yield Raw(
                number, fields[client_id].strip(), fields[acps],
                fields[name].strip() if name >= 0 else "", fields[key].strip() if key >= 0 else "",
                _autos(start, line, acps) if "auto" in fields[acps] else ())
    if not header:
        mistakes.refuse(1, "header", "", f"the file has none; allowed: {','.join(REQUIRED)}, "
                        "and as you like name, key, comment")


def _lines(text: str) -> t.Iterator[tuple[int, int, str]]:
    """The number of each line, where it starts, and its text."""
    number, start = 1, 1 if text.startswith("\ufeff") else 0
    while start < len(text):
        end = text.find("\n", start)
        if end < 0:
            end = len(text)
        yield number, start, text[start:end]
        number, start = number + 1, end + 1


def _header(number: int, fields: list[str], mistakes: Mistakes) -> list[str]:
    header = [field.strip() for field in fields]
    if not set(REQUIRED) & set(header):
        mistakes.refuse(number, "header", ",".join(header), f"no header; allowed: {','.join(REQUIRED)}, "
                        "and as you like name, key, comment, with commas between")
        return []
    mistakes.has_keys = "key" in header
    return header if check_columns(number, header, mistakes) else []


def _fields(number: int, line: str, header: list[str], mistakes: Mistakes) -> list[str]:
    """The columns of a line; none of one that cannot be read."""
    fields = line.split(",")
    if '"' in line:
        try:
            fields = next(csv.reader([line], strict=True, skipinitialspace=True))
        except csv.Error as error:
            mistakes.refuse(number, "line", line, f"{error}; allowed: CSV, each row on one line")
            return []
    if header and len(fields) != len(header):
        mistakes.refuse(number, "line", line, f"{len(fields)} columns; allowed: {len(header)} "
                        f"({','.join(header)}), a text with commas in double quotes")
        return []
    return fields


def _autos(start: int, line: str, column: int) -> tuple[tuple[int, int], ...]:
    """Where the words that ask for a prefix stand in the text."""
    begin = 0
    for _field in range(column):
        begin = _FIELD.match(line, begin).end() + 1
    field = _FIELD.match(line, begin)
    words = re.finditer(r'[^\s"]+', field[0])
    return tuple((start + begin + word.start(), start + begin + word.end())
                 for word in words if AUTO.fullmatch(word[0]))
