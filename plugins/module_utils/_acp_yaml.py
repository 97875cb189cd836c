# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ACP table as YAML: a list with a dictionary for each Client.

It is read as a stream of events: no tree of a million rows in memory, every line known, and texts as they are
written (as values, 00:03:00:01 would be a number).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_source import (
    AUTO,
    COLUMNS,
    Mistakes,
    Raw,
    record,
)

_ALLOWED = "allowed: a list of dictionaries with client_id and acps"
_NOTHING = ("", "~", "null")
_WRONG = object()


def rows(text: str, mistakes: Mistakes) -> t.Iterator[Raw]:
    # Ansible brings it; nodes, which import the modules beside this one, need not have it.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    try:
        yield from _Reader(text, yaml.parse(text, Loader=loader), mistakes).rows()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        line = mark.line + 1 if mark else 1
        found = text.split("\n", line)[line - 1:line] or [""]
        mistakes.refuse(line, "text", found[0].strip(), f"not YAML: {what}; {_ALLOWED}")


class _Reader:
    def __init__(self, text: str, events: t.Iterator[t.Any], mistakes: Mistakes) -> None:
        self._text, self._events, self._mistakes = text, events, mistakes

    def rows(self) -> t.Iterator[Raw]:
        documents = 0
        for event in self._events:
            kind = _kind(event)
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    self._refuse(event, "text", "---", f"a second document; {_ALLOWED}")
                    return
            elif kind == "SequenceStartEvent":
                yield from self._list()
            elif kind in ("ScalarEvent", "MappingStartEvent"):
                self._refuse(event, "text", self._excerpt(event), f"no list; {_ALLOWED}")
                return

    def _list(self) -> t.Iterator[Raw]:
        for event in self._events:
            kind = _kind(event)
            if kind == "SequenceEndEvent":
                return
            if kind == "MappingStartEvent":
                row = self._row(event)
                if row is not None:
                    yield row
            else:
                self._refuse(event, "row", self._excerpt(event), f"not a dictionary; {_ALLOWED}")
                self._skip(event)

    def _row(self, start: t.Any) -> Raw | None:
        fields: dict[str, t.Any] = {}
        autos: list[tuple[int, int]] = []
        good = True
        for event in self._events:
            if _kind(event) == "MappingEndEvent":
                break
            if _kind(event) == "ScalarEvent":
                name = event.value
            else:
                name = self._excerpt(event)
                self._skip(event)
            value = next(self._events)
            if name in fields:
                self._refuse(event, "column", name, "there twice; allowed: each column once")
                good = False
            fields[name] = self._value(name, value, autos)
            good = good and fields[name] is not _WRONG
        line = start.start_mark.line + 1
        if not good:
            return None
        row = record(line, fields, self._mistakes)
        return row and row._replace(autos=tuple(autos)) if autos else row

    def _value(self, name: str, event: t.Any, autos: list[tuple[int, int]]) -> t.Any:
        """A text, a list of texts, or ``_WRONG`` for what is neither, which is reported here."""
        if _kind(event) == "ScalarEvent":
            return self._scalar(name, event, autos)
        if _kind(event) == "SequenceStartEvent" and name == "acps":
            return self._words(autos)
        self._skip(event)
        if name not in COLUMNS:
            return None
        self._refuse(event, name, self._excerpt(event), "not a text; allowed: a text")
        return _WRONG

    def _words(self, autos: list[tuple[int, int]]) -> t.Any:
        words, good = [], True
        for item in self._events:
            if _kind(item) == "SequenceEndEvent":
                break
            if _kind(item) == "ScalarEvent":
                words.append(self._scalar("acps", item, autos) or "")
            else:
                self._refuse(item, "acps", self._excerpt(item), "not a text; allowed: one or more prefixes")
                self._skip(item)
                good = False
        return words if good else _WRONG

    def _scalar(self, name: str, event: t.Any, autos: list[tuple[int, int]]) -> str | None:
        if event.implicit[0] and event.value in _NOTHING:
            return None
        if name == "acps" and "auto" in event.value:
            start = event.start_mark.index
            words = re.finditer(r"""[^\s"']+""", self._text[start:event.end_mark.index])
            autos += [(start + word.start(), start + word.end()) for word in words if AUTO.fullmatch(word[0])]
        return event.value

    def _skip(self, event: t.Any) -> None:
        """Step over what an event begins."""
        depth = _kind(event).endswith("StartEvent")
        while depth:
            kind = _kind(next(self._events))
            depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")

    def _excerpt(self, event: t.Any) -> str:
        start = event.start_mark.index
        return self._text[start:start + 60].split("\n", 1)[0].strip()

    def _refuse(self, event: t.Any, column: str, value: str, why: str) -> None:
        self._mistakes.refuse(event.start_mark.line + 1, column, value, why)


def _kind(event: t.Any) -> str:
    return type(event).__name__
