# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ACP table as JSON, or as data in a variable: a list with a dictionary for each Client."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_source import AUTO, Mistakes, Raw, record

_ALLOWED = "allowed: a list of dictionaries with client_id and acps"
_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)


class _Twice(ValueError):
    """A dictionary has a key twice, of which json would take the last."""


def rows(text: str, mistakes: Mistakes) -> t.Iterator[Raw]:
    """One row after the other, so that a large table is never in memory as a whole."""
    cursor = _Cursor(text)
    if not cursor.take("["):
        mistakes.refuse(1, "text", _excerpt(text, 0), f"no list; {_ALLOWED}")
        return
    try:
        more = not cursor.take("]")
        while more:
            number, start, row = cursor.value()
            found = _row(number, row, mistakes)
            if found is not None:
                yield _with_autos(found, text, start, cursor.position) if "auto" in found.acps else found
            more = cursor.take(",")
            if not more:
                cursor.need("]")
        cursor.need("")
    except json.JSONDecodeError as error:
        number = text.count("\n", 0, error.pos) + 1
        mistakes.refuse(number, "text", _excerpt(text, error.pos), f"not JSON: {error.msg}; {_ALLOWED}")


def data_rows(data: t.Sequence[t.Any], mistakes: Mistakes) -> t.Iterator[Raw]:
    """The rows of a list in a variable, numbered from 0."""
    for number, row in enumerate(data):
        found = _row(number, row, mistakes)
        if found is not None:
            yield found


def _row(number: int, row: t.Any, mistakes: Mistakes) -> Raw | None:
    if isinstance(row, _Twice):
        mistakes.refuse(number, "column", str(row), "there twice; allowed: each column once")
        return None
    if not isinstance(row, dict):
        mistakes.refuse(number, "row", _excerpt(str(row), 0), f"not a dictionary; {_ALLOWED}")
        return None
    return record(number, row, mistakes)


def _excerpt(text: str, position: int) -> str:
    """What stands at a position, to the end of its line at most."""
    return text[position:position + 60].partition("\n")[0].strip()


def _unique(pairs: list[tuple[str, t.Any]]) -> t.Any:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _value in pairs]
        return _Twice(next(name for name in names if names.count(name) > 1))
    return fields


class _Cursor:
    """Walks through the text of a list; json itself would decode it whole and tell no lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decode = json.JSONDecoder(object_pairs_hook=_unique).raw_decode
        self._counted, self._line = 0, 1
        self.position = 1 if text.startswith("\ufeff") else 0

    def take(self, mark: str) -> bool:
        """Step over a mark, if it is what comes next."""
        position = _SPACE.match(self._text, self.position).end()
        found = self._text.startswith(mark, position)
        if found:
            self.position = position + len(mark)
        return found

    def need(self, mark: str) -> None:
        """Step over a mark that must come next, or be at the end of the text."""
        self.position = _SPACE.match(self._text, self.position).end()
        if not mark and self.position < len(self._text):
            raise json.JSONDecodeError("text after the end of the list", self._text, self.position)
        if not self.take(mark):
            raise json.JSONDecodeError(f"no {mark} where a , or {mark} must be", self._text, self.position)

    def value(self) -> tuple[int, int, t.Any]:
        """The line, the position and the value of what comes next."""
        start = _SPACE.match(self._text, self.position).end()
        value, self.position = self._decode(self._text, start)
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        return self._line, start, value


def _with_autos(row: Raw, text: str, start: int, end: int) -> Raw:
    """The row with the places of the words that ask for a prefix."""
    autos, depth, key, last = [], 0, "", ""
    for token in _TOKEN.finditer(text, start, end):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        elif token[0] == ":" and depth == 1:
            key = json.loads(last)
        elif key == "acps":
            words = re.finditer(r'[^\s"]+', token[0])
            autos += [(token.start() + word.start(), token.start() + word.end())
                      for word in words if AUTO.fullmatch(word[0])]
        last = token[0]
    return row._replace(autos=tuple(autos))
