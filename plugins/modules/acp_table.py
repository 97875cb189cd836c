#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: acp_table
short_description: Check the ACP table of an AERO link and allocate the prefixes it asks for
version_added: 0.1.0
description:
  - Reads the table that C(aero_acp_table) names, on the controller, and finds all mistakes at once. Each is
    one line that names file and line, value, and what is allowed. No host is contacted.
  - With O(allocate=true) each C(auto/LENGTH) (IPv6) and C(auto4/LENGTH) (IPv4) in the table is replaced by
    the lowest free prefix of that length inside the service prefixes. The rest of the file stays as it is.
  - Beside the table a ledger is kept, C(TABLE.ledger.csv). It tells whose each prefix is and until when it
    was somebody's who gave it up; such a prefix is not allocated for C(aero_acp_quarantine) days.
  - The ledger is written first, then the table, each as a whole. A run that was cut off in between is
    completed by the next one, with the same prefixes. Runs at the same time wait for each other.
  - In check mode nothing is written, but the rest of the run sees the table as it would be.
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.full
  - aero.link.attributes.action
  - aero.link.attributes.run_once
options:
  allocate:
    description:
      - Whether to allocate what the table asks for and to bring the ledger up to date. Otherwise a table that
        asks for prefixes has a mistake for each.
      - It has no effect on a table that is given as data, which cannot be written back to.
    type: bool
    default: false
seealso:
  - module: aero.link.validate_link
  - plugin: aero.link.acp_lookup
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Allocate what new Clients ask for
  aero.link.acp_table:
    allocate: true
  run_once: true
  register: table

- name: Show who got what
  ansible.builtin.debug:
    msg: "{{ table.allocated }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: The mistakes, one a line; at most 50.
  returned: failure
  type: str
path:
  description: The file on the controller, empty where the table is given as data.
  returned: success
  type: str
rows:
  description: Number of Clients.
  returned: success
  type: int
acps:
  description: Number of ACPs.
  returned: success
  type: int
sha256:
  description: Hash of the content, whatever the order of the rows.
  returned: success
  type: str
compiled:
  description: Folder on the controller that has the table in a form to be searched, for this run.
  returned: success
  type: str
allocated:
  description: The prefixes that were allocated, or would be, in the order of the file.
  returned: success
  type: list
  elements: dict
  contains:
    client_id:
      description: The DUID in hexadecimal.
      type: str
    line:
      description: The line in the file.
      type: int
    prefix:
      description: The prefix.
      type: str
"""
