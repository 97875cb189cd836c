# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What filters do with an input that they cannot take."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.aero.link.plugins.module_utils._model_values import Check, Place


def checked(filter_name: str, what: str, check: Check, value: t.Any) -> t.Any:
    """What ``check`` makes of a value; AnsibleFilterError with its first refusal."""
    errors: list[tuple[str, str]] = []
    result = check(value, Place(errors, "", what))
    if errors:
        raise AnsibleFilterError(f"{filter_name}: {errors[0][1]}")
    return result
