# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the attributes of a module mean, said once for all of them."""

from __future__ import annotations


class ModuleDocFragment:
    # What each attribute means. A module adds C(support) to each of the three itself,
    # or takes it from one of the fragments below.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) when
      in diff mode.
  idempotent:
    description: When run twice in a row with the same arguments outside check mode, the second run reports no
      change.
"""

    # For modules that only look: together with the fragment above.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    # For modules that change a target and support everything: together with the first one.
    FULL = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    # For modules that are an action plugin on the controller: together with the others.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed
      on the controller.
    support: full
"""

    # For action plugins that see all hosts at once, so C(run_once) is the way to call them.
    RUN_ONCE = r"""
options: {}
attributes:
  bypass_host_loop:
    description: Forces a 'global' task that does not execute per host, this bypasses per host templating and
      serial, throttle and other loop considerations.
    support: none
    details:
      - Looks at all hosts of the inventory in one call. Use it with C(run_once).
"""
