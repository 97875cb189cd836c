# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a table comes onto a Server, whatever its back end: what is there, what shall be, and the way between.

Only the module :mod:`acp_install` uses it, on the Server; nothing here knows Ansible.
"""

from __future__ import annotations

import base64
import json
import os
import typing as t
import zlib

from ansible_collections.aero.link.plugins.module_utils._acp_digest import (
    Difference,
    bits_for,
    bucket_hashes,
    bucket_of,
    difference,
    table_hash,
)
from ansible_collections.aero.link.plugins.module_utils._back_end import (
    BackEnd,
    BackEndError,
    remove,
    run,
    split,
)

# What is staged: in /run, since after a reboot nothing remembers what the old table said.
RECORD = "/run/aero-acp-staged.json"
AEROD_SOCKET = "/run/aero/aerod.sock"
MOST_ROWS_SHOWN = 200


def pack(lines: t.Iterable[str]) -> str:
    """Lines as an argument of the module."""
    return base64.b64encode(zlib.compress("".join(lines).encode(), 1)).decode()


def unpack(text: str) -> list[str]:
    """The lines of :func:`pack`."""
    return zlib.decompress(base64.b64decode(text)).decode().splitlines(keepends=True) if text else []


def differing(lines: list[str], theirs: t.Sequence[str]) -> tuple[list[int], int]:
    """The buckets in which a Server with the bucket hashes ``theirs`` has other lines, and their bits.

    A Server without any line has no hashes: the one bucket of all Clients.
    """
    bits = max(0, len(theirs) - 1).bit_length()
    ours = bucket_hashes(lines, bits)
    return [bucket for bucket, hashed in enumerate(ours) if not theirs or hashed != theirs[bucket]], bits


def in_buckets(lines: t.Iterable[str], buckets: t.Collection[int], bits: int) -> list[str]:
    """The lines of the Clients in these buckets."""
    chosen = set(buckets)
    if len(chosen) == 1 << bits:
        return list(lines)
    return [line for line in lines if bucket_of(line.partition(" ")[0], bits) in chosen]


# ---- the phases


def summary(back_end: BackEnd, wanted: str, record: str = RECORD) -> dict[str, t.Any]:
    """What the Server has; hashes of buckets only if that is not the table with the hash ``wanted``."""
    lines = back_end.lines()
    # An empty table is one, too, and must be brought before the server may answer.
    found = table_hash(lines) if back_end.has_table() else ""
    return {
        "sha256": found,
        "rows": len(lines),
        "buckets": bucket_hashes(lines, bits_for(len(lines))) if lines and found != wanted else [],
        # Switched to, and then the run was cut off.
        "unfinished": found == wanted == _read(record).get("sha256"),
    }


def stage(
    back_end: BackEnd, wanted: str, rows: list[str], buckets: list[int], bits: int,
    keep: bool = True, record: str = RECORD,
) -> tuple[Difference, list[str]]:  # fmt: skip
    """Stage the table that is the Server's own with the rows of ``buckets`` replaced by ``rows``.

    Returns how it differs, and notes on what could not be checked. Without ``keep`` nothing stays staged.
    """
    present = back_end.lines()
    leaving = set(in_buckets(present, buckets, bits))
    lines = sorted([*(line for line in present if line not in leaving), *rows])
    if table_hash(lines) != wanted:
        raise BackEndError("the table here has changed since it was looked at; run the play again")
    _refuse_duplicates(lines)
    found = difference(lines, present)
    notes = back_end.stage(lines, found)
    if keep:
        with open(record + ".new", "w", encoding="utf-8") as file:
            json.dump({"sha256": wanted, "gone": gone(found)}, file)
        os.replace(record + ".new", record)
    else:
        back_end.unstage()
    return found, notes


def switch(back_end: BackEnd, wanted: str, record: str = RECORD) -> list[str]:
    """Make the staged table the Server's, and end what the old one gave and this one does not.

    Returns what went wrong after the switch, one line each: a Client may keep its prefix till its Renew.
    """
    staged = _read(record)
    if staged.get("sha256") != wanted:
        raise BackEndError("nothing is staged, or another table; run the play again")
    back_end.switch()
    back_end.load()
    problems = []
    if staged["gone"]:
        problems = [*back_end.free(staged["gone"]), *recall(staged["gone"])]
    remove(record)
    return problems


def recall(prefixes: list[str], aerod: str = AEROD_SOCKET) -> list[str]:
    """Have aerod take these ACPs back from the Clients that hold them; what went wrong, one line each."""
    if not os.path.exists(aerod):
        return []
    status, output, errors = run(["aeroctl", "recall"], "".join(f"{prefix}\n" for prefix in prefixes))
    return [f"aeroctl recall: {(errors or output).strip()}"] if status else []


def gone(found: Difference) -> list[str]:
    """The ACPs that a Client has no more, in the order of the Clients."""
    lost = [acp for line in found.removed for acp in split(line)[1]]
    for old, new in found.changed:
        still = split(new)[1]
        lost += [acp for acp in split(old)[1] if acp not in still]
    return lost


def _refuse_duplicates(lines: list[str]) -> None:
    """No server notices all of these: each Client once, each ACP once."""
    owner: dict[str, str] = {}
    clients = set()
    for line in lines:
        client_id, acps = split(line)
        if client_id in clients:
            raise BackEndError(f"Client {client_id} is in the table twice")
        clients.add(client_id)
        for acp in acps:
            if owner.setdefault(acp, client_id) != client_id:
                raise BackEndError(f"{acp} is the ACP of both {owner[acp]} and {client_id}")


def _read(record: str) -> dict[str, t.Any]:
    try:
        with open(record, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


# ---- what is shown


def counts(found: Difference) -> dict[str, int]:
    """How many Clients came, went, and have other ACPs."""
    return {"added": len(found.added), "removed": len(found.removed), "changed_rows": len(found.changed)}


def shown(found: Difference) -> dict[str, str]:
    """The difference as Ansible shows it, cut to the first rows; the header has the counts."""
    before = sorted([*found.removed, *(old for old, _new in found.changed)])
    after = sorted([*found.added, *(new for _old, new in found.changed)])
    header = "ACP table: {} added, {} removed, {} changed".format(*map(len, found))
    cut = []
    for lines in (before, after):
        more = len(lines) - MOST_ROWS_SHOWN
        cut.append("".join(lines[:MOST_ROWS_SHOWN]) + (f"... and {more} more\n" if more > 0 else ""))
    return {"before_header": header, "after_header": header, "before": cut[0], "after": cut[1]}
