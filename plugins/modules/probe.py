#!/usr/bin/python
# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Send real packets from a node and wait for the answers
version_added: 0.1.0
description:
  - Sends echo requests to a list of destinations, all at the same time, and returns how many were
    answered and how fast.
  - A destination that does not do what O(targets[].expect) says is tried again until O(timeout) has
    passed, so the module can be called while a link is still converging.
  - The module changes nothing on the node, so it sends its packets in check mode too.
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
attributes:
  check_mode:
    support: full
    details:
      - The packets are sent in check mode too.
  diff_mode:
    support: none
    details:
      - Nothing is ever changed.
  idempotent:
    support: full
requirements:
  - ping (iputils)
options:
  targets:
    description: What to probe.
    type: list
    elements: dict
    required: true
    suboptions:
      to:
        description: The destination, an address (V(fe80::b%aero0) for a link-local one) or a name.
        type: str
        required: true
      from:
        description: The source address or interface. The kernel chooses by default.
        type: str
      size:
        description: The size of the IP packet in bytes, headers included.
        type: int
        default: 64
      family:
        description: The IP version. Needed only when O(targets[].to) is a name.
        type: str
        choices: [ipv4, ipv6]
      count:
        description: The number of packets in one attempt.
        type: int
        default: 2
      interval:
        description: The time between two packets, in seconds.
        type: float
        default: 0.2
      dont_fragment:
        description: Whether the node must send the packet in one piece and forbid others to fragment it.
        type: bool
        default: true
      expect:
        description: V(reachable) wants every packet of one attempt answered, V(unreachable) none.
        type: str
        choices: [reachable, unreachable]
        default: reachable
      label:
        description: A text that is returned as it is, to tell targets apart.
        type: str
  timeout:
    description: How long to go on trying, in seconds.
    type: float
    default: 20
  fail_on_loss:
    description: Whether the module fails when a target did not do what was expected of it.
    type: bool
    default: true
seealso:
  - module: aero.link.verify_link
"""

EXAMPLES = r"""
- name: See that a full-size packet crosses the tunnel to each Relay
  aero.link.probe:
    targets:
      - {to: "fe80::1%aero0", size: 1280}
      - {to: "fe80::2%aero0", size: 1280}

- name: See that two end networks reach each other, and that a third is cut off
  aero.link.probe:
    timeout: 30
    targets:
      - {to: "2001:db8:2::1", from: "2001:db8:1::1", size: 1500}
      - {to: "198.51.100.65", from: "198.51.100.33", size: 1500}
      - {to: "2001:db8:3::1", expect: unreachable}
"""

RETURN = r"""
results:
  description: What became of each target, in the order of O(targets).
  returned: always
  type: list
  elements: dict
  contains:
    to:
      description: The destination.
      type: str
      sample: 2001:db8:2::1
    from:
      description: The source that was asked for.
      type: str
    family:
      description: V(ipv4) or V(ipv6).
      type: str
    size:
      description: The size of the IP packets in bytes.
      type: int
    expect:
      description: What was expected.
      type: str
    label:
      description: The label of the target.
      type: str
    ok:
      description: Whether it came as expected.
      type: bool
    attempts:
      description: How many attempts were made. The other values are those of the last one.
      type: int
    sent:
      description: The number of packets sent.
      type: int
    received:
      description: The number of packets answered.
      type: int
    rtt_min:
      description: The shortest round trip time in milliseconds, null without an answer.
      type: float
    rtt_avg:
      description: The mean round trip time in milliseconds.
      type: float
    rtt_max:
      description: The longest round trip time in milliseconds.
      type: float
    error:
      description: The last thing ping(8) complained of, empty when it did not.
      type: str
"""

import itertools
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aero.link.plugins.module_utils._ping import (
    family_of,
    parse_ping,
    ping_command,
    smallest_size,
)

AT_ONCE = 16
PAUSE = 0.5
KEPT = ("to", "from", "size", "expect", "label")

OPTIONS = {
    "to": {"type": "str", "required": True},
    "from": {"type": "str"},
    "size": {"type": "int", "default": 64},
    "family": {"type": "str", "choices": ["ipv4", "ipv6"]},
    "count": {"type": "int", "default": 2},
    "interval": {"type": "float", "default": 0.2},
    "dont_fragment": {"type": "bool", "default": True},
    "expect": {"type": "str", "choices": ["reachable", "unreachable"], "default": "reachable"},
    "label": {"type": "str"},
}


def attempt(target, ping):
    """Send the packets of ``target`` once."""
    run = subprocess.run(
        [ping, *ping_command(target)[1:]],
        capture_output=True,
        env=dict(os.environ, LC_ALL="C"),
        text=True,
        check=False,
    )
    answer = parse_ping(run.stdout, run.stderr)
    if target["expect"] == "reachable":
        answer["ok"] = answer["sent"] == target["count"] == answer["received"]
    else:
        answer["ok"] = answer["received"] == 0
    return answer


def probe(target, ping, deadline):
    """Try ``target`` until it does what is expected, or ``deadline`` (monotonic seconds) has passed."""
    result = {key: target.get(key) for key in KEPT}
    result["family"] = family_of(target)
    for attempts in itertools.count(1):
        result.update(attempt(target, ping), attempts=attempts)
        if result["ok"] or time.monotonic() + PAUSE >= deadline:
            break
        # ping returns at once when the kernel has no route: wait a little for one.
        time.sleep(PAUSE)
    return result


def complaint(result):
    """One line that tells what went wrong with ``result``."""
    source = f" from {result['from']}" if result["from"] else ""
    error = f" ({result['error']})" if result["error"] else ""
    wanted = f"expected {result['expect']}, {result['received']} of {result['sent']} packets answered"
    return f"{result['to']}{source}, {result['size']} bytes: {wanted}{error}"


def unusable(targets):
    """The errors in ``targets`` that the argument specification cannot tell."""
    for position, target in enumerate(targets):
        smallest = smallest_size(family_of(target))
        if not smallest <= target["size"] <= 65535:
            yield f"targets[{position}].size = {target['size']}; allowed: {smallest} to 65535 bytes"
        if target["count"] < 1:
            yield f"targets[{position}].count = {target['count']}; allowed: 1 or more"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS},
            "timeout": {"type": "float", "default": 20},
            "fail_on_loss": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    targets = module.params["targets"]
    errors = list(unusable(targets))
    if errors:
        module.fail_json(msg="; ".join(errors))
    ping = module.get_bin_path("ping", required=True)
    deadline = time.monotonic() + module.params["timeout"]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        results = list(pool.map(lambda target: probe(target, ping, deadline), targets))
    lost = [complaint(result) for result in results if not result["ok"]]
    if lost and module.params["fail_on_loss"]:
        module.fail_json(msg="\n".join(lost), results=results)
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
