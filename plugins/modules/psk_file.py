#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: psk_file
short_description: Change the secret that the keys of an AERO link's Clients follow from
version_added: 0.1.0
description:
  - Takes one step of a rotation in the file that holds C(aero_psk_secrets). C(playbooks/rotate_keys.yml)
    uses it and brings the nodes along.
  - Works on the controller. A file that is encrypted by Ansible Vault is encrypted with the same password
    again.
  - The result holds secrets and is therefore never shown.
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.action
  - aero.link.attributes.run_once
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A difference would show secrets.
  idempotent:
    support: full
options:
  path:
    description:
      - The file, of variables in YAML. It holds C(aero_psk_secrets) and nothing else, since it is written as
        a whole.
      - A relative path is relative to the inventory.
    type: path
    required: true
  step:
    description:
      - V(begin) puts a new secret before the one that is there. Where there are two, a rotation is under way
        and nothing is changed. A file that is not there is made.
      - V(end) leaves the newest secret alone.
    type: str
    choices: [begin, end]
    required: true
  known:
    description:
      - The variable C(aero_psk_secrets) as the Servers have it now. Where it is not what the file holds, the
        step is refused.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Make a new secret
  aero.link.psk_file:
    path: group_vars/aero_servers/psk.yml
    step: begin
    known: "{{ aero_psk_secrets }}"
  run_once: true
  register: made
"""

RETURN = r"""
ids:
  description: The IDs of the secrets, newest first.
  returned: success
  type: list
  elements: int
secrets:
  description: The secrets, newest first, in the form of C(aero_psk_secrets). In check mode a new one is
    made up.
  returned: success
  type: list
  elements: dict
"""
