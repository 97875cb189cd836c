# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Allocate the ACPs that a table asks for, and write them back into it and into its ledger.

The ledger is written first: a prefix that stands in the table stands in the ledger, too, whatever is cut
off when. What a run that was cut off had put into the ledger, the next one finds there and gives to the same
Client.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import fcntl
import os
import typing as t

from ansible_collections.aero.link.plugins.module_utils import _acp_ledger, _acp_table, _whole_file
from ansible_collections.aero.link.plugins.module_utils._acp_allocate import Allocator
from ansible_collections.aero.link.plugins.module_utils._acp_table import Table, Wish
from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix


class Allocation(t.NamedTuple):
    """What is to be written.

    ``table`` is the one without wishes; ``text`` and ``ledger_text`` are what the two files are to hold, None
    where they stay as they are. ``lines`` are the lines of the table that change, each as it is and as it is
    to be; ``ledgers`` are the one that was and the one that is to be.
    """

    table: Table
    errors: list[str]
    given: t.Sequence[tuple[Wish, Prefix]] = ()
    lines: t.Sequence[tuple[str, str]] = ()
    ledgers: tuple[_acp_ledger.Ledger, _acp_ledger.Ledger] = ({}, {})
    text: str | None = None
    ledger_text: str | None = None
    state: t.Any = None  # of the file that was read


class Changed(Exception):
    """Somebody else wrote the table in the meantime."""


@_acp_table.no_collection()
def allocate(path: str, asps: t.Sequence[Prefix], quarantine: int, today: datetime.date) -> Allocation:
    """Read a table and its ledger, and allocate what the table asks for; nothing is written.

    :param quarantine: days for which a prefix that was given up is not allocated again
    """
    state = _state(path)
    table = _acp_table.read(path, asps, wishes=True)
    before, old_text, errors = _read_ledger(_acp_ledger.path_of(path))
    if table.errors or errors:
        return Allocation(table, table.errors + errors)
    owned = {acp: row.client_id for row in table.rows for acp in row.acps}
    given, errors = _give(path, table.wishes, asps, owned, before, today, quarantine)
    text, lines = None, []
    if given and not errors:
        lines = _changed_lines(table.text, given)
        text = _replaced(table.text, given)
        del table  # two large ones at once would take half a gigabyte more
        table = _acp_table.read_text(path, text, asps)
        errors = table.errors
        owned.update((acp, wish.client_id) for wish, acp in given)
    ledger = _acp_ledger.updated(before, owned, today, quarantine)
    ledger_text = _acp_ledger.text_of(ledger)
    return Allocation(table, errors, given, lines, (before, ledger), text,
                      None if ledger_text == old_text else ledger_text, state)


def write(path: str, allocation: Allocation) -> None:
    """Write the ledger, then the table, each as a whole.

    :raises Changed: the table is not the one that was read
    :raises OSError: they cannot be written
    """
    if _state(path) != allocation.state:
        raise Changed(f"{path}: changed while it was read; run it again")
    if allocation.ledger_text is not None:
        _whole_file.replace(_acp_ledger.path_of(path), allocation.ledger_text.encode(), like=path)
    if allocation.text is not None:
        _whole_file.replace(path, allocation.text.encode())


@contextlib.contextmanager
def alone(path: str) -> t.Iterator[None]:
    """Keeps other runs from allocating in the same table meanwhile. (An editor does not ask; see ``write``.)

    :raises OSError: it is not there, or cannot be written
    """
    while True:
        with open(path, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # It may have been replaced while we waited; then the lock is on a file that is no longer there.
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                yield
                return


def _state(path: str) -> t.Any:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read_ledger(path: str) -> tuple[_acp_ledger.Ledger, str, list[str]]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return {}, "", []
    except (OSError, UnicodeDecodeError) as error:
        return {}, "", [f"{path}: cannot be read: {error}; allowed: the ledger as it was written"]
    ledger, errors = _acp_ledger.parse(path, text)
    return ledger, text, errors


def _give(path: str, wishes: t.Sequence[Wish], asps: t.Sequence[Prefix], owned: t.Mapping[Prefix, str],
          ledger: _acp_ledger.Ledger, today: datetime.date, quarantine: int,
          ) -> tuple[list[tuple[Wish, Prefix]], list[str]]:
    """A prefix for each wish, and a line for each that cannot be fulfilled."""
    families = {wish.is_ipv4 for wish in wishes}
    kept = _kept(wishes, owned, ledger)
    if kept:
        free = _allocators(asps, owned, families)
        kept = {wish: prefix for wish, prefix in kept.items() if free[wish.is_ipv4].claim(prefix)}
    resting = [prefix for prefix, entry in _acp_ledger.updated(ledger, owned, today, quarantine).items()
               if entry.freed_on]
    free = _allocators(asps, [*owned, *resting, *kept.values()], families)
    given, errors = [], []
    for wish in wishes:
        found = kept.get(wish) or free[wish.is_ipv4].take(wish.length + 96 * wish.is_ipv4)
        if found:
            given.append((wish, found))
        else:
            errors.append(_refused(path, wish, resting))
    return given, errors


def _allocators(asps: t.Sequence[Prefix], taken: t.Iterable[Prefix],
                families: t.Iterable[bool]) -> dict[bool, Allocator]:
    taken = list(taken)
    return {is_ipv4: Allocator([asp for asp in asps if asp.is_ipv4 == is_ipv4], taken)
            for is_ipv4 in families}


def _kept(wishes: t.Sequence[Wish], owned: t.Mapping[Prefix, str],
          ledger: _acp_ledger.Ledger) -> dict[Wish, Prefix]:
    """What the ledger says the Client of a wish has, but the table does not."""
    free = {}
    for prefix in sorted(ledger, reverse=True) if wishes else ():
        entry = ledger[prefix]
        if not entry.freed_on and prefix not in owned:
            free.setdefault((entry.client_id, prefix.is_ipv4, prefix.native_length), []).append(prefix)
    kept = {}
    for wish in wishes:
        prefixes = free.get((wish.client_id, wish.is_ipv4, wish.length))
        if prefixes:
            kept[wish] = prefixes.pop()
    return kept


def _refused(path: str, wish: Wish, resting: t.Sequence[Prefix]) -> str:
    word = f"auto{'4' if wish.is_ipv4 else ''}/{wish.length}"
    family = "IPv4" if wish.is_ipv4 else "IPv6"
    count = sum(prefix.is_ipv4 == wish.is_ipv4 for prefix in resting)
    resting_text = f" ({count} prefixes wait for the end of their quarantine)" if count else ""
    return (f"{path}:{wish.line}: acps = {word}: none of that length is free{resting_text}; "
            f"allowed: a length that the {family} ASPs have room for")


def _replaced(text: str, given: t.Sequence[tuple[Wish, Prefix]]) -> str:
    """The text with prefixes in place of the wishes."""
    pieces, position = [], 0
    for wish, prefix in sorted(given):
        pieces += [text[position:wish.start], str(prefix)]
        position = wish.end
    return "".join([*pieces, text[position:]])


def _changed_lines(text: str, given: t.Sequence[tuple[Wish, Prefix]]) -> list[tuple[str, str]]:
    by_line = collections.defaultdict(list)
    for wish, prefix in sorted(given):
        start = text.rfind("\n", 0, wish.start) + 1
        by_line[start].append((wish._replace(start=wish.start - start, end=wish.end - start), prefix))
    found = []
    for start, replacements in by_line.items():
        end = text.find("\n", start)
        line = text[start:end if end >= 0 else None].rstrip("\r") + "\n"
        found.append((line, _replaced(line, replacements)))
    return found
