#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring the ACP table onto a Server, in steps that another Server can be waited for between."""

from __future__ import annotations

DOCUMENTATION = r"""
module: acp_install
short_description: Bring the ACP table onto a Server
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Compares the table on the controller with the one that the Server's DHCPv6 back end really has, by
    hashes, and sends only what the Server lacks. Equal tables cost one look.
  - The new table is first staged. The back end's own checker may refuse it, and nothing has changed then.
    It is switched to in one step afterwards, so that a play can wait for all Servers between the two.
  - What the old table gave to a Client and the new one does not is taken back after the switch. Its lease
    is deleted and aerod recalls the prefix from the Client that has it.
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.full
  - aero.link.attributes.action
options:
  backend:
    description: Where the Server keeps the table.
    type: str
    choices: [kea, kea_postgresql, isc]
    required: true
  phase:
    description:
      - V(stage) compares, sends and checks. It is changed when there is something to switch to.
      - V(switch) makes the staged table the Server's.
      - V(summary) only looks.
    type: str
    choices: [summary, stage, switch]
    required: true
  sha256:
    description:
      - Hash of the table as in RV(aero.link.validate_link#module:aero_link). A table with another one
        is refused.
    type: str
    required: true
  compiled:
    description:
      - The folder on the controller that has the table, RV(aero.link.acp_table#module:compiled).
        Required with O(phase=stage).
    type: str
  bits:
    description: How many bits number the buckets. The action fills it in.
    type: int
    default: 0
  buckets:
    description: The buckets that differ. The action fills it in.
    type: list
    elements: int
    default: []
  rows:
    description: The rows of these buckets, compressed. The action fills it in.
    type: str
    default: ''
notes:
  - With C(--diff) the first 200 rows that come, go or change are shown.
"""

EXAMPLES = r"""
- name: Stage the table
  aero.link.acp_install:
    backend: "{{ aero_link.dhcp_backend }}"
    phase: stage
    compiled: "{{ aero_link.acp_table.compiled }}"
    sha256: "{{ aero_link.acp_table.sha256 }}"
  register: staged
  any_errors_fatal: true

- name: Switch to it, since all Servers have staged it
  aero.link.acp_install:
    backend: "{{ aero_link.dhcp_backend }}"
    phase: switch
    sha256: "{{ aero_link.acp_table.sha256 }}"
  when: staged.pending
"""

RETURN = r"""
sha256:
  description: Hash of the table that the Server has, read back from its back end; empty before its first one.
  type: str
  returned: success
pending:
  description: Whether there is something to switch to.
  type: bool
  returned: with O(phase=stage)
rows:
  description: The number of its Clients.
  type: int
  returned: success
added:
  description: How many Clients are new to this Server.
  type: int
  returned: with O(phase=stage), if the tables differ
removed:
  description: How many Clients go.
  type: int
  returned: with O(phase=stage), if the tables differ
changed_rows:
  description: How many Clients get other ACPs.
  type: int
  returned: with O(phase=stage), if the tables differ
notes:
  description: Checks that could not be made in check mode.
  type: list
  elements: str
  returned: with O(phase=stage), if the tables differ
buckets:
  description: Hashes of buckets of Clients, for the action to compare.
  type: list
  elements: str
  returned: with O(phase=summary), if the tables differ
unfinished:
  description: Whether an earlier run was cut off in the middle of the switch.
  type: bool
  returned: with O(phase=summary)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aero.link.plugins.module_utils import _acp_install as install
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEnd, BackEndError
from ansible_collections.aero.link.plugins.module_utils._back_end_isc import Isc
from ansible_collections.aero.link.plugins.module_utils._back_end_kea import Kea
from ansible_collections.aero.link.plugins.module_utils._back_end_postgresql import Postgresql

BACK_ENDS = {"kea": Kea, "kea_postgresql": Postgresql, "isc": Isc}


def look(module: AnsibleModule, back_end: BackEnd) -> dict:
    """Phase summary."""
    params = module.params
    return {"changed": False, **install.summary(back_end, params["sha256"])}


def stage(module: AnsibleModule, back_end: BackEnd) -> dict:
    """Phase stage, for the rows that the action found to differ."""
    params = module.params
    found, notes = install.stage(
        back_end, params["sha256"], install.unpack(params["rows"]), params["buckets"], params["bits"],
        keep=not module.check_mode,
    )  # fmt: skip
    return {
        "changed": any(found),
        "sha256": params["sha256"],
        **install.counts(found),
        "diff": install.shown(found),
        "notes": notes,
    }


def switch(module: AnsibleModule, back_end: BackEnd) -> dict:
    """Phase switch; what the Server then has is read back from it."""
    wanted = module.params["sha256"]
    if module.check_mode:
        return {"changed": True, "sha256": wanted}
    for problem in install.switch(back_end, wanted):
        module.warn(problem)
    present = install.summary(back_end, wanted)
    if present["sha256"] != wanted:
        raise BackEndError(f"the table is {present['sha256']} after the switch, not {wanted}")
    return {"changed": True, "sha256": wanted, "rows": present["rows"]}


PHASES = {"summary": look, "stage": stage, "switch": switch}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "backend": {"type": "str", "choices": list(BACK_ENDS), "required": True},
            "phase": {"type": "str", "choices": list(PHASES), "required": True},
            "sha256": {"type": "str", "required": True},
            "compiled": {"type": "str"},
            "bits": {"type": "int", "default": 0},
            "buckets": {"type": "list", "elements": "int", "default": []},
            # Not secret, but nobody wants a table in the journal.
            "rows": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    back_end = BACK_ENDS[module.params["backend"]]()
    try:
        if not module.check_mode:
            back_end.prepare()
        module.exit_json(**PHASES[module.params["phase"]](module, back_end))
    except (BackEndError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
