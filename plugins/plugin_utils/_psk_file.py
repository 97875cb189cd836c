# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file that holds C(aero_psk_secrets) and nothing else, and the two steps of a rotation.

Pure functions from text to text; no message shows a secret.
"""

from __future__ import annotations

import secrets as random
import typing as t

import yaml
from ansible_collections.aero.link.plugins.module_utils import _psk
from ansible_collections.aero.link.plugins.module_utils._model_values import Place

VARIABLE = "aero_psk_secrets"
_HEADER = "# Written by playbooks/rotate_keys.yml of aero.link. Newest first; keep it secret.\n---\n"


class PskFileError(Exception):
    """The file cannot be used; the text says why."""


Secrets = list  # of {"id": int, "secret": str}


def read(text: str) -> Secrets:
    """The secrets in the file's text, newest first."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        # Its message would quote the line.
        raise PskFileError("is no plain YAML (encrypt the file as a whole, not single values)") from None
    if not isinstance(document, dict) or set(document) != {VARIABLE}:
        raise PskFileError(f"must hold {VARIABLE} and nothing else, as it is written anew")
    errors: list[tuple[str, str]] = []
    held = document[VARIABLE]
    ids = _psk.secrets(held, Place(errors, "", VARIABLE))
    if errors:
        raise PskFileError(errors[0][1])
    return [{"id": number, "secret": each["secret"]} for number, each in zip(ids, held, strict=True)]


def written(secrets: Secrets) -> str:
    """The file's text for these secrets."""
    return _HEADER + yaml.safe_dump({VARIABLE: secrets}, sort_keys=False)


def begun(secrets: Secrets) -> Secrets:
    """With a new secret before the one that is there; a rotation that is under way stays as it is."""
    if len(secrets) > 1:
        return secrets
    number = secrets[0]["id"] % _psk.LARGEST_ID + 1 if secrets else 1
    return [{"id": number, "secret": random.token_hex(_psk.LEAST_BYTES)}, *secrets]


def ended(secrets: Secrets) -> Secrets:
    """The newest alone."""
    return secrets[:1]


STEPS: dict[str, t.Callable[[Secrets], Secrets]] = {"begin": begun, "end": ended}
