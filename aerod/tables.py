# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading typed values out of a parsed TOML table, collecting every mistake on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

REQUIRED: Any = object()


class Table:
    """One TOML table.  Getters take a key out of it; a bad value appends to ``errors``.

    A getter that found a mistake returns a harmless value of the right type, so that the
    rest of the file can be checked in the same run.
    """

    def __init__(self, values: dict[str, Any], name: str, errors: list[str]) -> None:
        self._values = dict(values)
        self._name = name
        self._errors = errors

    def error(self, key: str, value: Any, allowed: str) -> None:
        """Note that ``key`` has the bad ``value``."""
        self._errors.append(f"{self._path(key)} = {value!r}: {allowed}")

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def _take(self, key: str, allowed: str, default: Any, fallback: Any) -> tuple[bool, Any]:
        """(whether a value is there to be checked, that value or what stands in for it)."""
        if key in self._values:
            return True, self._values.pop(key)
        if default is not REQUIRED:
            return False, default
        self._errors.append(f"{self._path(key)} is missing: {allowed}")
        return False, fallback

    def integer(self, key: str, least: int, most: int, default: Any = REQUIRED) -> int:
        """A whole number in ``least``..``most``."""
        allowed = f"must be a whole number from {least} to {most}"
        given, value = self._take(key, allowed, default, 0)
        if given and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
            self.error(key, value, allowed)
            return 0
        return value

    def number(self, key: str, least: float, most: float, default: Any = REQUIRED) -> float:
        """A number in ``least``..``most``."""
        allowed = f"must be a number from {least} to {most}"
        given, value = self._take(key, allowed, default, 0.0)
        if given and (type(value) not in (int, float) or not least <= value <= most):
            self.error(key, value, allowed)
            return 0.0
        return float(value)

    def truth(self, key: str, default: Any = REQUIRED) -> bool:
        """``true`` or ``false``."""
        allowed = "must be true or false"
        given, value = self._take(key, allowed, default, False)
        if given and not isinstance(value, bool):
            self.error(key, value, allowed)
            return False
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: Any = REQUIRED) -> str:
        """One of ``choices``."""
        allowed = "must be one of " + ", ".join(choices)
        given, value = self._take(key, allowed, default, "")
        if given and value not in choices:
            self.error(key, value, allowed)
            return ""
        return value

    def matching(self, key: str, pattern: re.Pattern[str], allowed: str, default: Any = REQUIRED) -> Any:
        """A string that matches ``pattern`` whole."""
        given, value = self._take(key, f"must be {allowed}", default, "")
        if given and not (isinstance(value, str) and pattern.fullmatch(value)):
            self.error(key, value, f"must be {allowed}")
            return ""
        return value

    def one(
        self,
        key: str,
        convert: Callable[[str], Any],
        allowed: str,
        fallback: Any,
        shown: str | None = None,
    ) -> Any:
        """A string that ``convert`` accepts; it refuses by ValueError.

        Errors show ``shown`` instead of a secret.
        """
        given, value = self._take(key, f"must be {allowed}", REQUIRED, fallback)
        return self._convert(key, value, convert, allowed, fallback, shown) if given else value

    def each(self, key: str, convert: Callable[[str], Any], allowed: str, least: int) -> tuple[Any, ...]:
        """A list of at least ``least`` strings, each of which ``convert`` accepts."""
        description = f"must be a list, each entry {allowed}"
        given, values = self._take(key, description, REQUIRED if least else (), [])
        if given and not isinstance(values, list):
            self.error(key, values, description)
            return ()
        if given and len(values) < least:
            self.error(key, values, f"needs at least {least}, each {allowed}")
        bad = object()
        converted = [self._convert(key, value, convert, allowed, bad) for value in values]
        return tuple(value for value in converted if value is not bad)

    def _convert(
        self,
        key: str,
        value: Any,
        convert: Callable,
        allowed: str,
        fallback: Any,
        shown: str | None = None,
    ) -> Any:
        try:
            if not isinstance(value, str):
                raise ValueError("not a string")
            return convert(value)
        except ValueError as error:
            why = f" ({error})" if shown is None else ""
            self.error(key, value if shown is None else shown, f"must be {allowed}{why}")
            return fallback

    def table(self, key: str, required: bool) -> Table:
        """The sub-table ``key``, empty if it is not there."""
        if not required and key in self._values:
            return Table({}, key, [])
        value = self._values.pop(key, None)
        if isinstance(value, dict):
            return Table(value, key, self._errors)
        if required:
            self._errors.append(f"[{key}] is missing" if value is None else f"{key} must be a table, [{key}]")
        return Table({}, key, [])

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def tables(self, key: str) -> list[Table]:
        """The array of tables ``[[key]]``, empty if it is not there."""
        values = self._values.pop(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self._errors.append(f"{self._path(key)} must be an array of tables, [[{self._path(key)}]]")
            return []
        path = self._path(key)
        return [Table(value, f"{path}[{index}]", self._errors) for index, value in enumerate(values)]

    def refuse(self, key: str, why: str) -> None:
        """Note a mistake if ``key`` is there."""
        if key in self._values:
            self.error(key, self._values.pop(key), why)

    def refuse_rest(self, where: str = "here") -> None:
        """Note every key that no getter asked for."""
        for key in self._values:
            self._errors.append(f"{self._path(key)} is not known {where}")
