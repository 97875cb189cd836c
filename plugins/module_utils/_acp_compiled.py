# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ACP table compiled: sorted texts in which a question is answered by bisection.

A run of Ansible asks the table from many processes. The first one reads the source, checks it and leaves the
compiled form in the temporary directory that Ansible has for the run; the others map it into memory and look
at a few lines. In a million rows an answer takes no longer than in ten.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import typing as t

from ansible_collections.aero.link.plugins.module_utils import _acp_table
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical
from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix

Text = "bytes | mmap.mmap"
_TEXTS = ("by_client", "by_prefix", "by_name", "keys")


class Client(t.NamedTuple):
    """A row of the table; ``line`` is its line in the file, or its position in the list."""

    client_id: str
    acps: tuple[str, ...]
    line: int
    name: str


class Compiled:
    """A table without mistakes. It is never changed; what it was made of may be."""

    def __init__(self, about: t.Mapping[str, t.Any], by_client: Text, by_prefix: Text, by_name: Text,
                 keys: Text, folder: str = "") -> None:
        """:param by_client: the canonical lines, sorted
        :param by_prefix: "<first address in hex> <length> <client_id> <line> <name>" of each ACP, sorted
        :param by_name: "<name>\\t<client_id>" of each Client that has a name, sorted
        :param keys: "<client_id> <key>" of each Client that has a key of its own, sorted
        :param folder: where it is saved, "" if it is not
        """
        self.rows: int = about["rows"]
        self.acps: int = about["acps"]
        self.sha256: str = about["sha256"]
        self.folder = folder
        self._by_client, self._by_prefix, self._by_name, self._keys = by_client, by_prefix, by_name, keys

    @classmethod
    @_acp_table.no_collection()
    def of(cls, table: _acp_table.Table) -> Compiled:
        # One after the other: with a million rows each takes a hundred megabytes while it is made.
        by_client = _sorted([canonical(row.client_id, row.acps) for row in table.rows])
        by_prefix = _sorted([f"{acp[0]:032x} {acp[1]:03d} {client_id} {line} {name}\n"
                             for client_id, acps, line, name in table.rows for acp in acps])
        by_name = _sorted([f"{row.name}\t{row.client_id}\n" for row in table.rows if row.name])
        about = {"rows": len(table.rows), "acps": sum(len(row.acps) for row in table.rows),
                 "sha256": hashlib.sha256(by_client).hexdigest()}
        keys = _sorted([f"{client_id} {key}\n" for client_id, key in table.keys.items()])
        return cls(about, by_client, by_prefix, by_name, keys)

    def save(self, folder: str) -> Compiled:
        """Write it into a new folder, all or nothing. If the folder is there, it holds the same already."""
        temporary = tempfile.mkdtemp(dir=os.path.dirname(folder), prefix=f"{os.path.basename(folder)}.")
        for name in _TEXTS:
            with open(os.path.join(temporary, name), "wb") as file:
                file.write(getattr(self, f"_{name}"))
        with open(os.path.join(temporary, "about.json"), "w", encoding="utf-8") as file:
            json.dump({"rows": self.rows, "acps": self.acps, "sha256": self.sha256}, file)
        try:
            os.rename(temporary, folder)
        except OSError:
            shutil.rmtree(temporary)
        return Compiled.load(folder)

    @classmethod
    def load(cls, folder: str) -> Compiled:
        """:raises OSError: it is not there"""
        with open(os.path.join(folder, "about.json"), encoding="utf-8") as file:
            about = json.load(file)
        texts = [_mapped(os.path.join(folder, name)) for name in _TEXTS]
        return cls(about, *texts, folder)

    def lines(self) -> list[str]:
        """The canonical lines (``_acp_digest``), sorted."""
        return self._by_client[:].decode().splitlines(keepends=True)

    def clients(self) -> list[Client]:
        """All rows, sorted by Client ID."""
        return [self.client(line.partition(" ")[0]) for line in self.lines()]

    def client(self, client_id: str) -> Client | None:
        """The row of a Client ID, which is in lower-case hexadecimal digits."""
        acps = next(_lines_from(self._by_client, f"{client_id} "), "").split()
        if not acps or acps.pop(0) != client_id:
            return None
        first = _acp_table.parse_prefix(acps[0])
        entry = next(_lines_from(self._by_prefix, f"{first.value:032x} {first.length:03d} "))
        _value, _length, _client_id, line, name = entry.split(" ", 4)
        return Client(client_id, tuple(acps), int(line), name)

    def owners(self, prefix: Prefix) -> list[Client]:
        """Whose ACP covers a prefix or address (of length 128); if nobody's, who has ACPs inside it."""
        outer = self._before(prefix)
        if outer and Prefix(int(outer[0], 16), int(outer[1])).covers(prefix):
            return [self.client(outer[2])]
        found: dict[str, Client] = {}
        for entry in _lines_from(self._by_prefix, f"{prefix.value:032x}"):
            value, _length, client_id, _rest = entry.split(" ", 3)
            if int(value, 16) > prefix.last:
                break
            found.setdefault(client_id, self.client(client_id))
        return list(found.values())

    def named(self, name: str) -> list[Client]:
        """The Clients of that name; nothing keeps a table from having it twice."""
        found = []
        for entry in _lines_from(self._by_name, f"{name}\t"):
            its_name, client_id = entry.split("\t")
            if its_name != name:
                break
            found.append(self.client(client_id))
        return found

    def own_keys(self, client_id: str = "") -> list[tuple[str, str]]:
        """The Clients that have a key of their own, sorted, each with that; or only this one, if it has."""
        if not client_id:
            return [tuple(line.split()) for line in self._keys[:].decode().splitlines()]
        owner, _space, key = next(_lines_from(self._keys, f"{client_id} "), "").partition(" ")
        return [(owner, key)] if owner == client_id else []

    def _before(self, prefix: Prefix) -> list[str]:
        """The fields of the last ACP that does not begin above a prefix. ACPs do not overlap, so no other one
        can cover it."""
        end = _seek(self._by_prefix, f"{prefix.value:032x} {prefix.length:03d} ~")
        start = self._by_prefix.rfind(b"\n", 0, max(0, end - 1)) + 1
        return self._by_prefix[start:end].decode().split(" ", 3)[:3] if end else []


Source = "str | t.Sequence[t.Any]"  # path, or the rows as data
Opened = "tuple[Compiled | None, list[str]]"


def in_memory(source: Source, asps: t.Sequence[Prefix] | None) -> Opened:
    """The table of a source, or its mistakes."""
    table = _acp_table.read(source, asps)
    return (None, table.errors) if table.errors else (Compiled.of(table), [])


def compiled(source: Source, asps: t.Sequence[Prefix] | None, folder: str) -> Opened:
    """The table of a source, read once as long as it does not change, or its mistakes.

    :param folder: Ansible's temporary directory of this run
    """
    place = place_of(source, asps, folder)
    try:
        return Compiled.load(place), []
    except OSError:
        found, errors = in_memory(source, asps)
        return (found and found.save(place)), errors


def place_of(source: Source, asps: t.Sequence[Prefix] | None, folder: str) -> str:
    """Where the compiled form of a source as it is now would be saved."""
    if isinstance(source, str):
        try:
            found = os.stat(source)
        except OSError:
            state: t.Any = None
        else:
            state = [source, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]
    else:
        state = source
    key = hashlib.sha256(json.dumps([state, sorted(asps or ())], default=str).encode()).hexdigest()
    return os.path.join(folder, f"aero-acp-table-{key[:32]}")


def _sorted(lines: list[str]) -> bytes:
    lines.sort()
    return "".join(lines).encode()


def _mapped(path: str) -> Text:
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""  # nothing cannot be mapped
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _seek(text: Text, key: str) -> int:
    """Where the first line begins that does not sort before the key; the end of the text if all do."""
    wanted = key.encode()
    low, high = 0, len(text)
    while low < high:
        start = max(low, text.rfind(b"\n", low, (low + high) // 2) + 1)
        end = text.find(b"\n", start)
        if text[start:end] < wanted:
            low = end + 1
        else:
            high = start
    return low


def _lines_from(text: Text, key: str) -> t.Iterator[str]:
    """The lines that do not sort before the key."""
    start = _seek(text, key)
    while start < len(text):
        end = text.find(b"\n", start)
        yield text[start:end].decode()
        start = end + 1
