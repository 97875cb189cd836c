# SPDX-License-Identifier: GPL-3.0-or-later
"""``[dhcp_authentication]``, and the files of its keys, which only the daemon may read.

A line of ``keys`` is an ID and a secret in hex digits: the master secrets at a Server, the Client's own
key at a Client, newest first.  A line of ``client_keys`` has a DUID before that: the key of one Client,
in place of the one that follows from the master secret.  Empty lines and those with ``#`` are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aerod.state.dhcp_keys import DhcpKeys
from aerod.tables import Table
from aerod.wire.dhcpv6_authentication import Key

MODES = ("duid", "psk")
_LARGEST_ID = 0xFFFFFFFF
_MASTER_MIN, _CLIENT_MIN, _DUID_MIN = 32, 16, 3  # bytes
_PATH = re.compile(r"/\S+")


@dataclass(frozen=True, slots=True)
class AuthenticationConfig:
    """The files of the keys; ``client_keys`` is ``None`` if no Client of this Server has one of its own."""

    keys: Path
    client_keys: Path | None = None


class KeysError(ValueError):
    """Files of keys that cannot be used; ``errors`` holds one line for each mistake, and no secret."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def parse_authentication(table: Table, role: str) -> AuthenticationConfig | None:
    """Return where the keys are, None where the DUID is enough."""
    if table.choice("mode", MODES, "duid") != "psk":
        table.refuse("keys", 'is of no use without mode = "psk"')
        table.refuse("client_keys", 'is of no use without mode = "psk"')
        table.refuse_rest()
        return None
    keys = table.matching("keys", _PATH, "the absolute path of a file")
    singles = None
    if role == "server":
        singles = table.matching("client_keys", _PATH, "the absolute path of a file", None)
    table.refuse_rest()
    return AuthenticationConfig(Path(keys), Path(singles) if singles else None)


def read_keys(config: AuthenticationConfig, role: str) -> DhcpKeys:
    """Read and check the files; raises :class:`KeysError`."""
    errors: list[str] = []
    least = _MASTER_MIN if role == "server" else _CLIENT_MIN
    own = [_key(words, least, place, errors) for place, words in _lines(config.keys, 2, errors)]
    if not own and not errors:
        errors.append(f"{config.keys}: there is no key in it")
    errors += _repeated(config.keys, [key.id for key in own])
    singles: dict[bytes, tuple[Key, ...]] = {}
    if config.client_keys is not None:
        for place, (duid, *words) in _lines(config.client_keys, 3, errors):
            owner = _bytes(duid, _DUID_MIN, f"{place}: the DUID", errors)
            singles[owner] = (*singles.get(owner, ()), _key(words, _CLIENT_MIN, place, errors))
    if errors:
        raise KeysError(errors)
    return DhcpKeys(own, singles)


def _lines(path: Path, count: int, errors: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each line that has ``count`` words, with its place."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text"
        errors.append(f"{path}: cannot be read: {why}")
        return
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"{path}, line {number}"
        if len(words) == count:
            yield place, words
        else:
            form = "ID SECRET" if count == 2 else "DUID ID SECRET"
            errors.append(f"{place}: must be: {form}")


def _key(words: list[str], least: int, place: str, errors: list[str]) -> Key:
    number, secret = words
    if not (number.isdecimal() and int(number) <= _LARGEST_ID):
        errors.append(f"{place}: the ID must be a whole number from 0 to {_LARGEST_ID}")
        number = "0"
    return Key(int(number), _bytes(secret, least, f"{place}: the secret", errors))


def _bytes(text: str, least: int, what: str, errors: list[str]) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) < least:
        errors.append(f"{what} must be hex digits for at least {least} bytes")
    return value


def _repeated(path: Path, ids: list[int]) -> list[str]:
    return [f"{path}: there is more than one key with ID {number}"
            for number in dict.fromkeys(ids) if ids.count(number) > 1]
