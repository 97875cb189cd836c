# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table that says which Client owns which ACPs: one CSV file for the whole link.

It is read line by line and may have a million rows: each line is looked at once, and the checks
between lines cost one sort. All mistakes are collected, each as one line that names file and line.
"""

from __future__ import annotations

import csv
import hashlib
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixError,
    PrefixSet,
    overlaps,
    parse_prefix,
)

HEADER = ["client_id", "acps", "name", "comment"]

# Least and most bytes of a DUID by its type (RFC 8415, section 11).
_DUID_BYTES = {1: (9, 130), 2: (7, 130), 3: (5, 130), 4: (18, 18)}
_HEX = re.compile(r"[0-9a-f]+")


class Row(t.NamedTuple):
    """One Client: its DUID in hexadecimal, its ACPs in the order of their IAIDs, its line in the file."""

    client_id: str
    acps: tuple[Prefix, ...]
    line: int


class Table(t.NamedTuple):
    rows: list[Row]
    errors: list[str]

    @property
    def sha256(self) -> str:
        """Hash of what the table says, whatever the order of its rows and the way they are written."""
        content = hashlib.sha256()
        for row in sorted(self.rows):
            content.update(f"{row.client_id} {' '.join(map(str, row.acps))}\n".encode())
        return content.hexdigest()


def parse_duid(text: str) -> str:
    """The DUID as lower-case hexadecimal digits without colons.

    :raises ValueError: malformed; the message says what is allowed
    """
    allowed = "allowed: a DUID in hexadecimal, with or without colons, such as 00:03:00:01:52:54:00:12:34:56"
    digits = text.lower().replace(":", "")
    if ":" in text and not all(len(part) == 2 for part in text.split(":")):
        raise ValueError(f"not pairs of hexadecimal digits; {allowed}")
    if not _HEX.fullmatch(digits) or len(digits) % 2:
        raise ValueError(f"not hexadecimal bytes; {allowed}")
    size = len(digits) // 2
    least, most = _DUID_BYTES.get(int(digits[:4], 16), (0, 0))
    if not most:
        hint = f" (a MAC address? then it is 00:03:00:01:{text})" if size == 6 else ""
        raise ValueError(f"begins with no DUID type from 0001 to 0004{hint}; {allowed}")
    if not least <= size <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ValueError(f"a DUID of this type has {wanted} bytes, not {size}; {allowed}")
    return digits


def colons(client_id: str) -> str:
    """The DUID in the form Kea shows: pairs of digits with colons between."""
    return ":".join(client_id[i:i + 2] for i in range(0, len(client_id), 2))


def read(path: str, asps: t.Sequence[Prefix] | None) -> Table:
    """Read and check the whole table; without service prefixes, all but that the ACPs are inside them."""
    reader = _Reader(path, asps)
    try:
        with open(path, "rb") as file:
            reader.read_lines(file)
    except OSError as error:
        reader.errors.append((0, f"{path}: cannot be read: {error.strerror}; allowed: a readable CSV file"))
    reader.check_overlaps()
    return Table(reader.rows, [text for line, text in sorted(reader.errors)])


class _Reader:
    """Collects rows and mistakes of one file."""

    def __init__(self, path: str, asps: t.Sequence[Prefix] | None) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.errors: list[tuple[int, str]] = []
        self._line_of_client: dict[str, int] = {}
        self._owned: list[Prefix] = []
        self._line_of_owned: list[int] = []
        self._asps = None if asps is None else PrefixSet(asps)

    def refuse(self, line: int, column: str, value: str, why: object) -> None:
        self.errors.append((line, f"{self.path}:{line}: {column} = {value}: {why}"))

    def read_lines(self, file: t.Iterable[bytes]) -> None:
        header_seen = False
        for number, raw in enumerate(file, start=1):
            fields = self._fields(number, raw)
            if not fields:
                continue
            if header_seen:
                self._row(number, fields)
            elif fields == HEADER:
                header_seen = True
            else:
                self.refuse(number, "header", ",".join(fields), f"wrong header; allowed: {','.join(HEADER)}")
                return
        if not header_seen:
            self.refuse(1, "header", "", f"the file has none; allowed: {','.join(HEADER)}")

    def _fields(self, number: int, raw: bytes) -> list[str]:
        """The columns of a line; none for a blank line, a comment, or one that cannot be read."""
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            value = raw.decode("ascii", "backslashreplace").strip()
            self.refuse(number, "line", value, f"byte {error.start + 1} is not UTF-8; allowed: text in UTF-8")
            return []
        if not line or line.startswith("#"):
            return []
        if '"' not in line:
            return [field.strip() for field in line.split(",")]
        try:
            return [field.strip() for field in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            self.refuse(number, "line", line, f"{error}; allowed: CSV, each row on one line")
            return []

    def _row(self, number: int, fields: list[str]) -> None:
        if len(fields) != len(HEADER):
            self.refuse(number, "line", ",".join(fields), f"{len(fields)} columns; allowed: {len(HEADER)} "
                        f"({','.join(HEADER)}), a text with commas in double quotes")
            return
        client_id = self._client(number, fields[0])
        acps = self._acps(number, fields[1])
        self._owned += acps
        self._line_of_owned += [number] * len(acps)
        if client_id and acps:
            self.rows.append(Row(client_id, tuple(acps), number))

    def _client(self, number: int, text: str) -> str | None:
        try:
            client_id = parse_duid(text)
        except ValueError as error:
            self.refuse(number, "client_id", text, error)
            return None
        first = self._line_of_client.setdefault(client_id, number)
        if first != number:
            self.refuse(number, "client_id", text, f"already on line {first}; allowed: one line for a Client")
        return client_id

    def _acps(self, number: int, text: str) -> list[Prefix]:
        acps = []
        for word in text.split():
            try:
                acps.append(self._acp(word))
            except PrefixError as error:
                self.refuse(number, "acps", word, error)
        if not text:
            self.refuse(number, "acps", "", "no ACP; allowed: one or more prefixes with spaces between")
        return acps

    def _acp(self, text: str) -> Prefix:
        acp = parse_prefix(text)
        if not acp.is_ipv4 and acp.length > 64:
            raise PrefixError("IPv6 ACP longer than /64; allowed: /64 or shorter")
        if self._asps is not None and self._asps.covering(acp) is None:
            inside = _listed(self._asps.outermost)
            raise PrefixError(f"in none of the link's ASPs; allowed: prefixes inside {inside}")
        return acp

    def check_overlaps(self) -> None:
        for outer, inner in overlaps(self._owned):
            # The mistake is the one that came later in the file.
            first, second = sorted((outer, inner))
            acp, other = self._owned[second], self._owned[first]
            what = "already" if other == acp else f"overlaps {other}"
            self.refuse(self._line_of_owned[second], "acps", str(acp),
                        f"{what} on line {self._line_of_owned[first]}; allowed: each address in one ACP only")


def _listed(asps: t.Sequence[Prefix], most: int = 4) -> str:
    shown = ", ".join(map(str, asps[:most]))
    return f"{shown} and {len(asps) - most} more" if len(asps) > most else shown
