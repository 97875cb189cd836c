#!/usr/bin/python
# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_link
short_description: Hold the nodes of an AERO link against each other and against the inventory
version_added: 0.1.0
description:
  - Judges the facts that M(aero.link.node_info) gathered, and at last the packets that M(aero.link.probe)
    sent. No host is contacted.
  - Of every Client, the leases, prefixes, neighbor entries, kernel routes and BGP routes on all nodes must
    agree. The ACP table must be the same on all Servers, permanent neighbors complete, BGP sessions
    established, names published, units active, and the firewall table loaded.
  - Only hosts of the play are judged. Under C(--limit) the report names those that were not looked at.
  - It reads, of each host of the play, the registered results C(_aero_info) (of M(aero.link.node_info)) and
    C(_aero_sent) (of M(aero.link.probe)), and the variables C(aero_verify_probes) and
    C(aero_verify_no_routes_inside).
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.info_module
  - aero.link.attributes.action
  - aero.link.attributes.run_once
options:
  link:
    description: The link model C(aero_link), as the playbook C(aero.link.validate) keeps it.
    type: dict
    required: true
  deadline:
    description:
      - Until when it is worth looking again, in seconds since the epoch.
      - While something is wrong and this time has not come, RV(again) is true, after a pause of two
        seconds.
    type: float
    default: 0
  final:
    description:
      - Judge the packets too. Print a report when all is right, fail with one line for each wrong fact when
        not.
    type: bool
    default: false
seealso:
  - module: aero.link.node_info
  - module: aero.link.probe
  - module: aero.link.validate_link
"""

EXAMPLES = r"""
- name: See what is wrong, without failing
  aero.link.verify_link:
    link: "{{ aero_link }}"
  register: verdict
  run_once: true

- name: Send the packets that prove the link
  aero.link.probe:
    targets: "{{ verdict.probes[inventory_hostname] | default([]) }}"
    fail_on_loss: false
  register: _aero_sent

- name: Print the page of proof, or fail with what is wrong
  aero.link.verify_link:
    link: "{{ aero_link }}"
    final: true
  run_once: true
"""

RETURN = r"""
again:
  description: Whether something is wrong that may still come right before O(deadline).
  returned: when O(final=false)
  type: bool
findings:
  description: What is wrong, sorted by host.
  returned: when O(final=false)
  type: list
  elements: dict
  contains:
    host:
      description: The host that has the wrong fact.
      type: str
      sample: r1
    what:
      description: The fact.
      type: str
      sample: kernel route to 2001:db8:1::/56 of c1
    expected:
      description: What it should be.
      type: str
      sample: via s1, s2
    found:
      description: What it is.
      type: str
      sample: none
probes:
  description: For each host the targets that M(aero.link.probe) should send packets to.
  returned: when O(final=false)
  type: dict
report:
  description: The lines of the report.
  returned: when O(final=true) and nothing is wrong
  type: list
  elements: str
"""
