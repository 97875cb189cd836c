#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring all units of a node into their state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_services
short_description: Bring all systemd units of a node into their state at once
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Enables, starts, restarts, reloads or stops a list of units in its order, after a daemon-reload
    where one is due.
  - A unit that should run is waited for, and looked at once more a moment later. If it does not run,
    the module fails with the last lines of its journal.
  - Tags that M(aero.link.node_files) left on the node are taken up together with O(notify), and
    forgotten only when everything runs. Tags that no unit of the list knows go on waiting.
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.full
options:
  services:
    description: The units, in the order in which they are started.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit, with its suffix.
        type: str
        required: true
      enabled:
        description: Whether it is started at boot. Left as it is by default.
        type: bool
      state:
        description: Whether it runs. Left as it is by default. A unit that does not exist counts as stopped.
        type: str
        choices: [started, stopped]
      if_exists:
        description: Path of a file that marks the unit as ours. Without it the unit is left alone.
        type: path
      intact:
        description:
          - Command that succeeds while what the running unit once made is still there, such as a table of
            nftables. Where it fails, the unit is restarted. No shell is involved.
        type: str
      restart_on:
        description: Tags after which a running unit is restarted.
        type: list
        elements: str
        default: []
      reload_on:
        description: Tags after which a running unit is reloaded, unless it is restarted.
        type: list
        elements: str
        default: []
  notify:
    description:
      - Tags of what has changed, from RV(aero.link.node_files#module:notify).
      - The tag V(daemon-reload) has systemd read its unit files again.
    type: list
    elements: str
    default: []
  pending:
    description: Where M(aero.link.node_files) leaves its tags.
    type: path
    default: /run/aero-pending.json
  timeout:
    description: How many seconds to wait for a unit to become active.
    type: int
    default: 30
  settle:
    description: How many seconds a unit must stay active after it was changed.
    type: float
    default: 1.0
  journal_lines:
    description: How many lines of its journal to show of a unit that failed.
    type: int
    default: 20
seealso:
  - module: aero.link.node_files
"""

EXAMPLES = r"""
- name: Run what a Relay runs
  aero.link.node_services:
    services:
      - name: aerod.service
        enabled: true
        state: started
        restart_on: [aerod]
      - name: bird.service
        enabled: true
        state: started
        reload_on: [bird]
    notify: "{{ _aero_placed.notify }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be, as C(verb unit).
  type: list
  elements: str
  returned: success
units:
  description: State of each unit before.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aero.link.plugins.module_utils import _pending
from ansible_collections.aero.link.plugins.module_utils._node_services import (
    RELOAD_TAG,
    Service,
    ServiceError,
    Systemd,
    actions,
)


def bring_up(module: AnsibleModule) -> dict:
    """Do what the module is for; returns its result."""
    params = module.params
    listed = [Service(**option) for option in params["services"]]
    services = [service for service in listed if service.ours]
    names = [service.name for service in services]
    systemd = Systemd(module.run_command, params["timeout"], params["settle"], params["journal_lines"])
    tags = set(params["notify"]) | _pending.read(params["pending"])

    units = systemd.units(names)
    reread = RELOAD_TAG in tags or any(unit.NeedDaemonReload == "yes" for unit in units.values())
    if reread and not module.check_mode:
        systemd.do("daemon-reload", "")
        units = systemd.units(names)

    done = ["daemon-reload"] if reread else []
    touched = []
    for service in services:
        unit = units[service.name]
        verbs = actions(service, unit, tags, not unit.running or systemd.intact(service))
        done += [f"{verb} {service.name}" for verb in verbs]
        if service.state == "started" and verbs:
            touched.append(service.name)
        if not module.check_mode:
            for verb in verbs:
                systemd.do(verb, service.name)
    if not module.check_mode:
        if touched:
            systemd.wait_until_active([service.name for service in services if service.state == "started"])
        known = {tag for service in listed for tag in service.restart_on + service.reload_on}
        _pending.clear(params["pending"], known | {RELOAD_TAG})
    return {
        "changed": bool(done),
        "actions": done,
        "units": {name: str(unit) for name, unit in units.items()},
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in done)},
    }


def main() -> None:
    service = {
        "name": {"type": "str", "required": True},
        "enabled": {"type": "bool"},
        "state": {"choices": ["started", "stopped"]},
        "if_exists": {"type": "path"},
        "intact": {"type": "str"},
        "restart_on": {"type": "list", "elements": "str", "default": []},
        "reload_on": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True, "options": service},
            "notify": {"type": "list", "elements": "str", "default": []},
            "pending": {"type": "path", "default": _pending.PENDING},
            "timeout": {"type": "int", "default": 30},
            "settle": {"type": "float", "default": 1.0},
            "journal_lines": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**bring_up(module))
    except ServiceError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
