# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Clients have a key of their own in the ACP table, and which?"""

from __future__ import annotations

DOCUMENTATION = r"""
name: acp_keys
short_description: The keys that Clients have of their own in the ACP table
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Answers from the ACP table of the link, which M(aero.link.validate_link) has read and checked.
  - What it returns is secret. Use it only where nothing is shown, such as in C(secret_content) of
    M(aero.link.node_files) or in a task with C(no_log).
options:
  _terms:
    description:
      - Client IDs in any of the usual spellings. Nothing asks for all Clients that have a key of their own.
    type: list
    elements: str
    default: []
notes:
  - It needs the variable C(aero_link), so the play comes after C(aero.link.validate).
seealso:
  - plugin: aero.link.acp_lookup
    plugin_type: lookup
  - plugin: aero.link.psk_of_client
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Give a Client that the inventory does not manage its key
  ansible.builtin.copy:
    content: "{{ aero_link.psk_ids[0] }} {{ (query('aero.link.acp_keys', client_id) | first).key }}\n"
    dest: /etc/aero/dhcp_keys
    owner: aero
    mode: "0400"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The Clients that have a key of their own, sorted, or in the order of the terms.
  type: list
  elements: dict
  contains:
    client_id:
      description: The DUID as hexadecimal digits.
      type: str
    key:
      description: The key as hexadecimal digits.
      type: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.aero.link.plugins.module_utils._acp_duid import parse_duid
from ansible_collections.aero.link.plugins.plugin_utils._table import table_of_link


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        table = table_of_link(variables or {})
        found = [key for term in terms for key in table.own_keys(_duid(term))] if terms else table.own_keys()
        return [{"client_id": client_id, "key": key} for client_id, key in found]


def _duid(term: str) -> str:
    try:
        return parse_duid(str(term))
    except ValueError as error:
        raise AnsibleLookupError(f"{term}: {error}") from error
