# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger beside an ACP table: whose each prefix is, or was until when.

The table says what is; only the ledger remembers what was, so that a prefix which a Client gave up is not
given to the next one while others still know it as the first one's.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_source import Mistakes
from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix, PrefixError, parse_prefix

_HEADER = "prefix,client_id,freed_on"
_ALLOWED = f"allowed: {_HEADER}, the last one empty or a date such as 2026-11-22"


class Entry(t.NamedTuple):
    """Who has a prefix, or had it until a day (UTC)."""

    client_id: str
    freed_on: datetime.date | None = None


Ledger = dict[Prefix, Entry]


def path_of(table: str) -> str:
    return f"{table}.ledger.csv"


def parse(path: str, text: str) -> tuple[Ledger, list[str]]:
    """What a ledger says, and its mistakes."""
    ledger: Ledger = {}
    mistakes = Mistakes.of_file(path)
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#") or line == _HEADER:
            continue
        try:
            prefix, client_id, freed_on = line.split(",")
            when = datetime.date.fromisoformat(freed_on) if freed_on else None
            ledger[parse_prefix(prefix)] = Entry(client_id, when)
        except PrefixError as error:
            mistakes.refuse(number, "prefix", line.partition(",")[0], error)
        except ValueError:
            mistakes.refuse(number, "line", line, f"no entry of a ledger; {_ALLOWED}")
    return ledger, mistakes.lines


def text_of(ledger: Ledger) -> str:
    """A ledger as text, by the order of the prefixes, so that only lines differ that mean something else."""
    lines = ["# Kept by playbooks/enroll.yml: whose each prefix is, or was until when.", _HEADER]
    for prefix in sorted(ledger):
        client_id, freed_on = ledger[prefix]
        lines.append(f"{prefix},{client_id},{freed_on or ''}")
    return "\n".join(lines) + "\n"


def summary(ledger: Ledger) -> str:
    resting = sum(entry.freed_on is not None for entry in ledger.values())
    return f"{len(ledger) - resting} prefixes in use, {resting} in quarantine\n"


def updated(ledger: Ledger, owned: t.Mapping[Prefix, str], today: datetime.date, quarantine: int) -> Ledger:
    """The ledger of a table with these owners. What is gone from the table was freed today, unless it was
    before; who left it longer than ``quarantine`` days ago is forgotten."""
    now = {prefix: Entry(client_id) for prefix, client_id in owned.items()}
    for prefix, entry in ledger.items():
        freed_on = entry.freed_on or today
        if prefix not in now and (today - freed_on).days < quarantine:
            now[prefix] = Entry(entry.client_id, freed_on)
    return now
