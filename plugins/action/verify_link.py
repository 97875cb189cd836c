# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of aero.link.verify_link: brings model and facts together, judges, prints the page of proof."""

from __future__ import annotations

import time

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.aero.link.plugins.module_utils._verify import findings
from ansible_collections.aero.link.plugins.module_utils._verify_probes import losses, plan
from ansible_collections.aero.link.plugins.module_utils._verify_report import report

PAUSE = 2.0
ROLES = ("relay", "server", "client")


class ActionModule(ActionBase):
    """Runs once, on the controller, for all hosts of the play."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        _options, arguments = self.validate_argument_spec(
            argument_spec={
                "link": {"type": "dict", "required": True},
                "deadline": {"type": "float", "default": 0},
                "final": {"type": "bool", "default": False},
            }
        )
        link = arguments["link"]
        seen = {host: task_vars["hostvars"][host] for host in task_vars["ansible_play_hosts_all"]}
        nodes = _facts(link, seen)
        answered = [host for host in seen if nodes.get(host)]
        outside = [h for h in answered if boolean(seen[h].get("aero_verify_no_routes_inside", False))]
        wanted = {host: seen[host].get("aero_verify_probes") or [] for host in answered}
        probes, missing = plan(link, nodes, wanted)
        wrong = [*findings(link, nodes, outside), *missing]
        if arguments["final"]:
            return _final(link, nodes, _sent(seen), wrong)
        return _verdict(wrong, probes, arguments["deadline"])


def _facts(link, seen):
    """The facts of each host that was asked, ``None`` for a node that gave none."""
    nodes = {}
    for host, variables in seen.items():
        node = (variables.get("_aero_info") or {}).get("aero_node")
        if node is not None or link["hosts"].get(host, {}).get("role") in ROLES:
            nodes[host] = node
    return nodes


def _sent(seen):
    """The results of the probes each host sent."""
    results = {host: (variables.get("_aero_sent") or {}).get("results") for host, variables in seen.items()}
    return {host: result for host, result in results.items() if result}


def _verdict(wrong, probes, deadline):
    again = bool(wrong) and time.time() < deadline
    if again:
        time.sleep(PAUSE)
    return {
        "changed": False,
        "again": again,
        "findings": [finding._asdict() for finding in wrong],
        "probes": probes,
        "msg": [str(finding) for finding in wrong] or "All facts agree.",
    }


def _final(link, nodes, sent, wrong):
    wrong = [*wrong, *losses(sent)]
    if wrong:
        # Nothing but the lines: what else stood in the result would bury them on the terminal.
        lines = ["The link is not as it should be:", *(str(finding) for finding in wrong)]
        return {"failed": True, "msg": "\n".join(lines)}
    lines = report(link, nodes, sent)
    Display().display("\n".join(["", *lines, ""]))
    return {"changed": False, "report": lines, "msg": "The link is as the inventory says."}
