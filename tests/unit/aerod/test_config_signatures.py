# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of signatures in aerod.toml (O-4)."""

from __future__ import annotations

import pytest

from aerod.config import parse
from tests.unit.aerod.test_config import CLIENT, SERVER, errors_of

SECRET = "5e" * 32
REQUIRED = ("[link]", "[link]\nrequire_signature = true")


def table(name: str, number: int = 1, secret: str = SECRET) -> str:
    return f'[[{name}]]\nid = {number}\nsecret = "{secret}"\n'


@pytest.mark.parametrize(("text", "name"), [(SERVER, "signature_secret"), (CLIENT, "signature_key")])
def test_the_first_stays_first(text, name):
    signatures = parse(text.replace(*REQUIRED) + table(name, 9) + table(name, 3), "aerod.toml").signatures
    assert signatures.required and [key.id for key in signatures.keys] == [9, 3]
    assert signatures.keys[0].secret == bytes.fromhex(SECRET)


def test_no_keys_no_signatures():
    assert parse(SERVER, "aerod.toml").signatures is None
    assert not parse(SERVER + table("signature_secret"), "aerod.toml").signatures.required


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (SERVER.replace(*REQUIRED), "link.require_signature = True: needs one [[signature_secret]] or more"),
        (CLIENT.replace(*REQUIRED), "link.require_signature = True: needs one [[signature_key]] or more"),
        (SERVER + table("signature_secret") * 2, "link.signature_secret = 1: is the id of more than one"),
        (
            SERVER.replace("[link]", '[link]\nencapsulation = "gue"') + table("signature_secret"),
            "link.encapsulation = 'gue': only the AERO header has room for signatures",
        ),
        (
            SERVER + table("signature_secret", secret="5e" * 31),
            "signature_secret[0].secret = '(not shown)': must be hex digits for at least 32 bytes",
        ),
        (CLIENT + table("signature_secret"), "signature_secret is not known in a file for a client"),
    ],
)
def test_mistakes(text, wrong):
    errors = errors_of(text)
    assert any(wrong in error for error in errors), errors
    assert not any("5e5e" in error for error in errors)
