# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One value of the inventory at a time: is it what its variable allows, and what is its plain form.

A check takes the value and the place it stands at, and returns the value in the form the link model
keeps. A value that is not allowed is reported at its place, and the check returns None.
Numbers may come as text: ``-e`` on the command line and Jinja give them so.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import functools
import hashlib
import json
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_duid import parse_duid
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixError,
    address_text,
    link_local,
    parse_address,
    parse_prefix,
)

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LOW = parse_prefix("::/8")  # fe80::ID and the IPv4-mapped addresses live in its AERO addresses
_NOT_UNICAST = {
    "which is multicast": ["224.0.0.0/4", "ff00::/8"],
    "which is loopback": ["127.0.0.0/8", "::1/128"],
    "which is link-local": ["169.254.0.0/16", "fe80::/10"],
    "which no host has": ["0.0.0.0/8", "240.0.0.0/4", "::/128"],
}
_SPECIAL = [(parse_prefix(text), what) for what, texts in _NOT_UNICAST.items() for text in texts]

NOT_SHOWN = "(not shown)"  # for values that are, or may be, secrets


class Failed(str):
    """Stands for a value that could not be had at all (a template that fails); says why."""


class Rows(list):
    """The ACP table given as data. It is told apart by its hash and never shown: it may hold keys, and it is
    too long to be written out for each host."""

    def __repr__(self) -> str:
        return f"({len(self)} rows, {self._digest})"

    @functools.cached_property
    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(list(self), default=str).encode()).hexdigest()[:16]


class Place(t.NamedTuple):
    """Where a value stands, and the list that takes what is wrong there: (host, rest of the line)."""

    errors: list[tuple[str, str]]
    host: str
    name: str

    def __truediv__(self, part: str) -> Place:
        return self._replace(name=self.name + part)

    def refuse(self, value: object, why: object) -> None:
        """``why`` reads "what is wrong; allowed: what would be right"."""
        wrong, marker, allowed = str(why).partition("allowed: ")
        if value is None:
            wrong = "missing; "
        self.errors.append((self.host, f"{self.name} = {shown(value)}: {wrong}{marker}{allowed}"))


Check = t.Callable[[t.Any, Place], t.Any]


def shown(value: object) -> str:
    """The value as it would stand in an inventory, on one line and not too long."""
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(str(value).split()) if value != "" else '""'
    return text if len(text) <= 80 else f"{text[:77]}..."


STILL_THE_EXAMPLE = "still the one of the example; allowed: your own, see Secrets in docs/operations.md"


def of_example(secret: bytes) -> bool:
    """Whether a secret is one that inventories/example has, or had: those are known to everybody."""
    return secret.lower().startswith(b"change-me")


def _hidden(secret: object) -> object:
    return None if secret is None else NOT_SHOWN


def closest(word: object, allowed: t.Iterable[str]) -> str:
    """A hint for a word that is probably a mistyped one of those allowed."""
    found = difflib.get_close_matches(str(word), list(allowed), n=1)
    return f"did you mean {found[0]}? " if found else ""


def number(least: int, most: int) -> Check:
    def check(value: t.Any, at: Place) -> int | None:
        plain = whole(value)
        if plain is None:
            return at.refuse(value, f"not a whole number; allowed: {least} to {most}")
        if not least <= plain <= most:
            return at.refuse(value, f"out of range; allowed: {least} to {most}")
        return plain
    return check


def whole(value: t.Any) -> int | None:
    """The value as int, unless it is anything but a whole number."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def seconds(least: float, most: float) -> Check:
    def check(value: t.Any, at: Place) -> float | None:
        try:
            plain = None if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            plain = None
        if plain is None or not least <= plain <= most:
            return at.refuse(value, f"not a time in seconds; allowed: {least} to {most}")
        return plain
    return check


def truth(value: t.Any, at: Place) -> bool | None:
    if isinstance(value, bool):
        return bool(value)
    word = value.lower() if isinstance(value, str) else ""
    if word not in ("true", "yes", "false", "no"):
        return at.refuse(value, "not a truth value; allowed: true or false")
    return word in ("true", "yes")


def declaration(what: str) -> Check:
    """A truth value that somebody has to think about, so that there is no default."""
    def check(value: t.Any, at: Place) -> bool | None:
        return at.refuse(None, f"allowed: {what}") if value is None else truth(value, at)
    return check


def choice(*allowed: str) -> Check:
    def check(value: t.Any, at: Place) -> str | None:
        if value not in allowed:
            return at.refuse(value, f"unknown; {closest(value, allowed)}allowed: {', '.join(allowed)}")
        return str(value)
    return check


def text(allowed: str) -> Check:
    """A text that is not empty."""
    def check(value: t.Any, at: Place) -> str | None:
        if not isinstance(value, str) or not value.strip():
            return at.refuse(value, f"not a text (does it need quotes?); allowed: {allowed}")
        return str(value)
    return check


def acp_table(value: t.Any, at: Place) -> t.Any:
    """The path of a file, or the rows themselves."""
    if isinstance(value, (list, tuple)):
        return value
    return text("the path of a file (.csv, .yml, .yaml, .json), or a list of dictionaries")(value, at)


def empty_or(check: Check) -> Check:
    return lambda value, at: "" if value == "" else check(value, at)


def domain(value: t.Any, at: Place) -> str | None:
    allowed = "allowed: a domain of two labels or more, such as example.net"
    if not isinstance(value, str):
        return at.refuse(value, f"not a domain; {allowed}")
    name = value.lower().removesuffix(".")
    labels = name.split(".")
    if not name.isascii():
        return at.refuse(value, f"not ASCII; write it in its xn-- form; {allowed}")
    if len(name) > 220 or not all(_LABEL.fullmatch(label) for label in labels):
        return at.refuse(value, f"not a domain; {allowed}")
    if len(labels) < 2 or labels[-1].isdigit():
        return at.refuse(value, f"an address or a single label, not a domain; {allowed}")
    return name


def asn(value: t.Any, at: Place) -> int | None:
    plain = number(1, 4294967294)(value, at)
    if plain in (23456, 65535):
        return at.refuse(value, "a reserved AS number; allowed: 1 to 4294967294 except 23456 and 65535")
    return plain


def aero_id(value: t.Any, at: Place) -> int | None:
    plain = whole(value)
    if plain is None:
        return at.refuse(value, "not a whole number; allowed: 1 to 4294967295")
    try:
        link_local(plain)
    except PrefixError as error:
        return at.refuse(value, error)
    return plain


def address(value: t.Any, at: Place) -> str | None:
    """A unicast address of a host, as text in its usual form."""
    if isinstance(value, str) and "/" in value:
        return at.refuse(value, "a prefix length does not belong here; allowed: an IPv4 or IPv6 address")
    try:
        plain = parse_address(value if isinstance(value, str) else "")
    except PrefixError as error:
        return at.refuse(value, error)
    for special, what in _SPECIAL:
        if special.covers(Prefix(plain, 128)):
            allowed = "allowed: a unicast address that other nodes reach"
            return at.refuse(value, f"lies in {special}, {what}; {allowed}")
    return address_text(plain)


def asp(value: t.Any, at: Place) -> Prefix | None:
    try:
        prefix = parse_prefix(value if isinstance(value, str) else "")
    except PrefixError as error:
        return at.refuse(value, error)
    if not prefix.native_length:
        return at.refuse(value, "everything is no ASP; allowed: a length of 1 or more")
    if not prefix.is_ipv4 and prefix.length > 64:
        return at.refuse(value, "IPv6 ASP longer than /64; allowed: /64 or shorter")
    for special, what in _SPECIAL:
        if special.covers(prefix) or prefix.covers(special):
            return at.refuse(value, f"overlaps {special}, {what}; allowed: unicast prefixes")
    if not prefix.is_ipv4 and (_LOW.covers(prefix) or prefix.covers(_LOW)):
        return at.refuse(value, "its AERO addresses collide with fe80::ID and those of IPv4; "
                         "allowed: prefixes outside ::/8")
    return prefix


def prefix(value: t.Any, at: Place) -> str | None:
    """A prefix of whatever is reached by IP, as text in its usual form."""
    try:
        return str(parse_prefix(value if isinstance(value, str) else ""))
    except PrefixError as error:
        return at.refuse(value, error)


def interface(value: t.Any, at: Place) -> str | None:
    allowed = "allowed: the name of a network interface, 15 characters at most"
    if not isinstance(value, str) or not re.fullmatch(r"[^\s/:%]{1,15}", value) or value in (".", ".."):
        return at.refuse(value, f"not an interface name; {allowed}")
    if value in ("aero0", "lo"):
        return at.refuse(value, f"{value} cannot be used here; {allowed}, not aero0 or lo")
    return str(value)


def client_id(value: t.Any, at: Place) -> str | None:
    if not isinstance(value, str):
        return at.refuse(value, "not a text; allowed: the DUID in hexadecimal, in quotes")
    try:
        return parse_duid(value)
    except ValueError as error:
        return at.refuse(value, error)


def bgp_password(value: t.Any, at: Place) -> bool | None:
    """A password for TCP MD5 (RFC 2385): what the kernel and the routing daemons' files can take."""
    allowed = 'allowed: 1 to 80 printable ASCII characters, no space, no "'
    if not isinstance(value, str):
        return at.refuse(_hidden(value), f"not a text (does it need quotes?); {allowed}")
    if not re.fullmatch(r'[!#-~]{1,80}', value):
        return at.refuse(_hidden(value), f"not a usable password; {allowed}")
    return at.refuse(NOT_SHOWN, STILL_THE_EXAMPLE) if of_example(value.encode()) else True


def base64_key(value: t.Any, at: Place) -> bool | None:
    try:
        key = base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        allowed = "allowed: the key's secret in base64, as tsig-keygen prints it"
        return at.refuse(_hidden(value), f"not base64; {allowed}")
    return at.refuse(NOT_SHOWN, STILL_THE_EXAMPLE) if of_example(key) else True


def key_name(value: t.Any, at: Place) -> str | None:
    label = "[a-z0-9_-]{1,63}"
    if not isinstance(value, str) or not re.fullmatch(rf"{label}(\.{label})*\.?", value.lower()):
        return at.refuse(value, "not the name of a key; allowed: a name such as aero-update")
    return value.lower().rstrip(".")


def peer_name(value: t.Any, at: Place) -> str | None:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,30}", value):
        return at.refuse(value, "not a usable name; allowed: a letter, then letters, digits and _")
    return str(value)


def list_of(check: Check, allowed: str) -> Check:
    """Each item by itself; those that are not allowed are left out, and if none is left it is no list."""
    def check_list(value: t.Any, at: Place) -> list[t.Any] | None:
        if not isinstance(value, (list, tuple)):
            return at.refuse(value, f"not a list; allowed: a list of {allowed}")
        items = [check(item, at / f"[{position}]") for position, item in enumerate(value)]
        kept = [item for item in items if item is not None]
        return kept if kept or not items else None
    return check_list


def entry(keys: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    """A dictionary with these keys; those that are not allowed are None, those not there are left out."""
    def check_entry(value: t.Any, at: Place) -> dict[str, t.Any] | None:
        if not isinstance(value, dict):
            return at.refuse(value, f"not a dictionary; allowed: the keys {', '.join(keys)}")
        for key in value.keys() - keys.keys():
            (at / f".{key}").refuse(NOT_SHOWN, f"unknown key; {closest(key, keys)}allowed: {', '.join(keys)}")
        return {key: check(value.get(key), at / f".{key}")
                for key, check in keys.items() if key in required or value.get(key) is not None}
    return check_entry
