# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has to be asked so that the link can be judged; the sidecar file documents the filter."""

from __future__ import annotations

from ansible_collections.aero.link.plugins.module_utils._verify import questions


class FilterModule:
    def filters(self):
        return {"aero_questions": questions}
