# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table that says which Client owns which ACPs, in any form, read and checked as a whole.

It may have a million rows: each is looked at once, and the checks between rows cost one sort. All mistakes
are collected, each as one line that names file and line.
"""

from __future__ import annotations

import contextlib
import gc
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils import _acp_csv, _acp_json, _acp_yaml
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical, table_hash
from ansible_collections.aero.link.plugins.module_utils._acp_duid import parse_duid
from ansible_collections.aero.link.plugins.module_utils._acp_source import AUTO, NOT_SHOWN, Mistakes, Raw
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixError,
    PrefixSet,
    overlaps,
    parse_prefix,
)

# What the table is called where it is data: the variable that holds it.
DATA = "aero_acp_table"
_FORMS = {".csv": _acp_csv.rows, ".yml": _acp_yaml.rows, ".yaml": _acp_yaml.rows, ".json": _acp_json.rows}

_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,64}")


class Row(t.NamedTuple):
    """One Client: its DUID in hexadecimal, its ACPs in the order of their IAIDs, its line in the file (or
    position in the list), its name."""

    client_id: str
    acps: tuple[Prefix, ...]
    line: int
    name: str = ""


class Wish(t.NamedTuple):
    """A word like auto/56, which asks for a prefix: where it stands in the text, whose ACP and which one."""

    start: int
    end: int
    line: int
    client_id: str
    position: int
    is_ipv4: bool
    length: int


class Table(t.NamedTuple):
    """Rows and mistakes. The ACPs that are only wished for are left out of their rows; ``text`` is that of
    the file, if there are such wishes. ``keys`` holds the keys of the Clients that have one."""

    rows: list[Row]
    errors: list[str]
    wishes: t.Sequence[Wish] = ()
    keys: t.Mapping[str, str] = {}
    text: str = ""

    @property
    def lines(self) -> list[str]:
        """The canonical lines (``_acp_digest``), sorted."""
        return sorted(canonical(row.client_id, row.acps) for row in self.rows)

    @property
    def sha256(self) -> str:
        """Hash of what the table says, whatever the order of its rows and the way they are written."""
        return table_hash(self.lines)


def read(source: str | t.Sequence[t.Any], asps: t.Sequence[Prefix] | None, wishes: bool = False) -> Table:
    """Read and check a whole table.

    :param source: path of a file, or the rows themselves as dictionaries
    :param asps: service prefixes; with None, it is not checked that the ACPs are inside them
    :param wishes: whether ACPs may still have to be allocated
    """
    if not isinstance(source, str):
        mistakes = Mistakes.of_data(DATA)
        reader = _Reader(mistakes, asps, "in data nothing can be written back; allowed: a prefix")
        return reader.table(_acp_json.data_rows(source, mistakes))
    mistakes = Mistakes.of_file(source)
    text = _text(source, mistakes)
    return Table([], mistakes.lines) if text is None else _read_text(source, text, asps, wishes, mistakes)


def read_text(path: str, text: str, asps: t.Sequence[Prefix] | None) -> Table:
    """Read and check a text as if it were in the file of that path."""
    return _read_text(path, text, asps, False, Mistakes.of_file(path))


def _read_text(path: str, text: str, asps: t.Sequence[Prefix] | None, wishes: bool,
               mistakes: Mistakes) -> Table:
    reader = _Reader(mistakes, asps, "" if wishes else "not allocated yet; allowed: a prefix "
                     "(playbooks/enroll.yml allocates one and writes it here)")
    table = reader.table(_FORMS[path[path.rindex("."):]](text, mistakes))
    return table._replace(text=text) if table.wishes else table


def _text(path: str, mistakes: Mistakes) -> str | None:
    if not path.endswith(tuple(_FORMS)):
        mistakes.refuse_whole(f"{path}: a file of an unknown form; allowed: {', '.join(_FORMS)}")
        return None
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        mistakes.refuse_whole(f"{path}: cannot be read: {error.strerror}; allowed: a readable file")
        return None
    if content.startswith(b"$ANSIBLE_VAULT"):
        mistakes.refuse_whole(f"{path}: encrypted; allowed: plain text, or the rows as data in {DATA}")
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        for number, line in enumerate(content.split(b"\n"), start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                mistakes.refuse(number, "line", line.decode("ascii", "backslashreplace").strip(),
                                f"byte {error.start + 1} is not UTF-8; allowed: text in UTF-8")
        return content.decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def no_collection() -> t.Iterator[None]:
    """Nothing here is garbage; a collector that looks through a million rows again and again costs a quarter
    of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    """Makes rows of what the forms' readers find, and collects mistakes."""

    def __init__(self, mistakes: Mistakes, asps: t.Sequence[Prefix] | None, no_wishes: str) -> None:
        """``no_wishes``: why there may be no wishes, or "" if there may."""
        self._mistakes = mistakes
        self._refuse = mistakes.refuse
        self._no_wishes = no_wishes
        self._asps = None if asps is None else PrefixSet(asps)
        self._every_asp = frozenset(asps or ())
        self._line_of_client: dict[str, int] = {}
        self._wishes: list[Wish] = []
        self._keys: dict[str, str] = {}
        self._owned: list[Prefix] = []
        self._line_of_owned: list[int] = []

    def table(self, raws: t.Iterable[Raw]) -> Table:
        with no_collection():
            rows = [row for row in map(self._row, raws) if row is not None]
        self._check_overlaps()
        self._check_asps_inside()
        return Table(rows, self._mistakes.lines, self._wishes, self._keys)

    def _row(self, raw: Raw) -> Row | None:
        number, text, words, name, key, autos = raw
        try:
            client_id = parse_duid(text)
        except ValueError as error:
            self._refuse(number, "client_id", text, error)
            client_id = ""
        else:
            first = self._line_of_client.setdefault(client_id, number)
            if first != number:
                self._refuse(number, "client_id", text,
                             f"already {self._mistakes.before(first)}; allowed: one row for a Client")
        if key:
            self._key(number, client_id, key)
        acps = self._acps(number, client_id, words.split(), autos)
        name = " ".join(name.split())
        # Row(...) takes twice the time.
        return tuple.__new__(Row, (client_id, acps, number, name)) if client_id and acps is not None else None

    def _key(self, number: int, client_id: str, key: str) -> None:
        if _KEY.fullmatch(key):
            self._keys[client_id] = key.lower()
        else:
            self._refuse(number, "key", NOT_SHOWN, "not a usable key; allowed: 16 to 64 bytes in hexadecimal")

    def _acps(self, number: int, client_id: str, words: list[str],
              autos: t.Sequence[tuple[int, int]]) -> tuple[Prefix, ...] | None:
        acps, places, good = [], iter(autos), bool(words)
        for position, word in enumerate(words):
            try:
                if "auto" in word:
                    self._wishes.append(self._wish(word, next(places, None), number, client_id, position))
                else:
                    acps.append(self._acp(word))
            except PrefixError as error:
                self._refuse(number, "acps", word, error)
                good = False
        self._owned += acps
        self._line_of_owned += [number] * len(acps)
        if not words:
            self._refuse(number, "acps", "", "no ACP; allowed: one or more prefixes with spaces between")
        return tuple(acps) if good else None

    def _acp(self, text: str) -> Prefix:
        acp = parse_prefix(text)
        if acp[1] > 64 and not acp.is_ipv4:
            raise PrefixError("IPv6 ACP longer than /64; allowed: /64 or shorter")
        if self._asps is not None and self._asps.covering(acp) is None:
            raise PrefixError(f"in none of the link's ASPs; allowed: prefixes inside {self._inside()}")
        if acp in self._every_asp:
            raise PrefixError(f"an ASP itself; allowed: prefixes inside {self._inside()}")
        return acp

    def _wish(self, word: str, place: tuple[int, int] | None, number: int, client_id: str,
              position: int) -> Wish:
        found = AUTO.fullmatch(word)
        if not found:
            raise PrefixError("not a prefix; allowed: ADDRESS/LENGTH, auto/LENGTH or auto4/LENGTH")
        is_ipv4, length = bool(found[1]), int(found[2])
        most = 32 if is_ipv4 else 64
        if not 1 <= length <= most:
            raise PrefixError(f"length out of range; allowed: {word.partition('/')[0]}/1 to /{most}")
        if self._no_wishes:
            raise PrefixError(self._no_wishes)
        if place is None:
            raise PrefixError("not written plainly enough to be replaced; allowed: a prefix")
        return Wish(*place, number, client_id, position, is_ipv4, length)

    def _inside(self, most: int = 4) -> str:
        asps = self._asps.outermost
        shown = ", ".join(map(str, asps[:most]))
        return f"{shown} and {len(asps) - most} more" if len(asps) > most else shown

    def _check_overlaps(self) -> None:
        for outer, inner in overlaps(self._owned):
            # The mistake is the one that came later.
            first, second = sorted((outer, inner))
            acp, other = self._owned[second], self._owned[first]
            what = "already" if other == acp else f"overlaps {other}"
            self._refuse(self._line_of_owned[second], "acps", str(acp), f"{what} "
                         f"{self._mistakes.before(self._line_of_owned[first])}; "
                         "allowed: each address in one ACP only")

    def _check_asps_inside(self) -> None:
        """No ACP holds an ASP: both would be announced, and the ASP belongs to the link."""
        nested = self._every_asp - set(self._asps.outermost) if self._asps else ()
        for asp in sorted(nested):
            for acp, number in zip(self._owned, self._line_of_owned, strict=True):
                if acp.covers(asp):
                    self._refuse(number, "acps", str(acp),
                                 f"has the ASP {asp} inside; allowed: prefixes without an ASP inside")
