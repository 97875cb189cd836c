# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller and a Server say to each other about the ACP table, so that only differences travel.

Both write their table as canonical lines, one a Client. The hash over all lines tells whether the tables are
equal; hashes over buckets of Clients tell which part is not, so that only the rows of these buckets are
compared one by one. Nobody keeps state for this: each side computes it from the table it really has.
"""

from __future__ import annotations

import hashlib
import typing as t

_ROWS_A_BUCKET = 16
_MOST_BITS = 16


class Difference(t.NamedTuple):
    """What makes ``theirs`` into ``ours``, each sorted by Client: lines they lack, lines of Clients that we
    do not have, and pairs (their line, our line) of Clients that both have with different ACPs."""

    added: list[str]
    removed: list[str]
    changed: list[tuple[str, str]]


def canonical(client_id: str, acps: t.Iterable[object]) -> str:
    """The line of a Client, with the newline.

    :param client_id: DUID in lower-case hexadecimal digits without colons
    :param acps: in the order of their IAIDs, as ``_prefixes.Prefix`` or in the text form of one
    """
    return f"{client_id} {' '.join(map(str, acps))}\n"


def table_hash(lines: t.Iterable[str]) -> str:
    """SHA-256 over the canonical lines in sorted order, in hexadecimal; the lines may come in any order."""
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def bits_for(count: int) -> int:
    """How many bits number the buckets of so many Clients: about 16 a bucket, at most 65536 buckets."""
    return min(_MOST_BITS, max(0, (count - 1) // _ROWS_A_BUCKET).bit_length())


def bucket_of(client_id: str, bits: int) -> int:
    """The bucket of a Client, from 0 to 2**bits - 1.

    It depends on the Client ID only, not on what else is in the table, so both sides put a Client into the
    same one. DUIDs of one vendor differ in few digits, hence a hash.
    """
    digest = hashlib.sha256(client_id.encode()).digest()
    return int.from_bytes(digest[:2], "big") >> (_MOST_BITS - bits)


def bucket_hashes(lines: t.Iterable[str], bits: int) -> list[str]:
    """For each bucket the first 16 hexadecimal digits of the SHA-256 over its lines in sorted order."""
    buckets: list[list[str]] = [[] for _bucket in range(1 << bits)]
    for line in sorted(lines):
        buckets[bucket_of(_client_of(line), bits)].append(line)
    return [table_hash(bucket)[:16] for bucket in buckets]


def difference(ours: t.Iterable[str], theirs: t.Iterable[str]) -> Difference:
    """What makes their canonical lines into ours; at most one line a Client on each side, in any order."""
    our_lines, their_lines = set(ours), set(theirs)
    lacking = {_client_of(line): line for line in our_lines - their_lines}
    excess = {_client_of(line): line for line in their_lines - our_lines}
    return Difference(
        sorted(line for client_id, line in lacking.items() if client_id not in excess),
        sorted(line for client_id, line in excess.items() if client_id not in lacking),
        sorted((excess[client_id], line) for client_id, line in lacking.items() if client_id in excess),
    )


def _client_of(line: str) -> str:
    return line[:line.index(" ")]
