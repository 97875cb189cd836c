# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ACP table of the link, for plugins that answer from it after it has been validated."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleLookupError
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import Compiled

# Templates of one task may ask many times.
_loaded = functools.lru_cache(maxsize=2)(Compiled.load)


def table_of_link(variables: t.Mapping[str, t.Any]) -> Compiled:
    """The table that C(aero_link) among the variables names."""
    try:
        return _loaded(str(variables["aero_link"]["acp_table"]["compiled"]))
    except (KeyError, OSError) as error:
        raise AnsibleLookupError(
            "the ACP table of the link was not read in this run; allowed: plays after aero.link.validate, "
            "or table=PATH") from error
