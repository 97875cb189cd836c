# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has a prefix, and which prefixes has a Client?"""

from __future__ import annotations

DOCUMENTATION = r"""
name: acp_lookup
short_description: Ask the ACP table who has a prefix, or what a Client has
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Answers from the ACP table of the link, which M(aero.link.validate_link) has read and checked. An answer
    takes the same few steps in a large table as in a small one, so each host may ask.
options:
  _terms:
    description:
      - What is known of the Clients. Each is an address or a prefix (who has the ACP that covers it? if
        nobody, who has ACPs inside it?), a Client ID in any of the usual spellings, or the name in the table.
      - Nothing asks for all Clients.
    type: list
    elements: str
    default: []
  table:
    description: Path of a table, instead of the link's. It is read once in a run.
    type: path
  asps:
    description: The service prefixes that each ACP of O(table) must be inside. Not checked by default.
    type: list
    elements: str
    default: []
notes:
  - Without O(table) it needs the variable C(aero_link), so the play comes after C(aero.link.validate).
seealso:
  - module: aero.link.validate_link
  - module: aero.link.acp_table
"""

EXAMPLES = r"""
- name: Whose address is this?
  ansible.builtin.debug:
    msg: "{{ query('aero.link.acp_lookup', '2001:db8:1000:2000::1') | map(attribute='name') }}"

- name: Which prefixes has this Client?
  ansible.builtin.debug:
    msg: "{{ (query('aero.link.acp_lookup', '00:03:00:01:52:54:00:00:10:01') | first).acps }}"

- name: Who is in this table?
  ansible.builtin.debug:
    msg: "{{ query('aero.link.acp_lookup', table='/srv/link/acp_table.csv') }}"
"""

RETURN = r"""
_raw:
  description: The Clients found, for each term in turn; none where a term is unknown.
  type: list
  elements: dict
  contains:
    client_id:
      description: The DUID as hexadecimal digits.
      type: str
    duid:
      description: The DUID as pairs of hexadecimal digits with colons between.
      type: str
    acps:
      description: The prefixes of the Client, in the order of their IAIDs.
      type: list
      elements: str
    name:
      description: The name in the table, empty if there is none.
      type: str
    line:
      description: The line of the file, or the position in a list given as data.
      type: int
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import Client, Compiled
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons, parse_duid
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixError,
    parse_address,
    parse_prefix,
)
from ansible_collections.aero.link.plugins.plugin_utils._inventory import MOST_LINES, open_table
from ansible_collections.aero.link.plugins.plugin_utils._table import table_of_link


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        table = self._table(variables or {})
        found = [client for term in terms for client in _ask(table, str(term))] if terms else table.clients()
        return [{"client_id": client.client_id, "duid": colons(client.client_id), "acps": list(client.acps),
                 "name": client.name, "line": client.line} for client in found]

    def _table(self, variables: t.Mapping[str, t.Any]) -> Compiled:
        path = self.get_option("table")
        if not path:
            return table_of_link(variables)
        try:
            asps = [parse_prefix(asp) for asp in self.get_option("asps")]
        except PrefixError as error:
            raise AnsibleLookupError(f"asps = {self.get_option('asps')}: {error}") from error
        table, errors = open_table(path, asps or None)
        if table is None:
            raise AnsibleLookupError("\n".join(errors[:MOST_LINES]))
        return table


def _ask(table: Compiled, term: str) -> t.Iterable[Client]:
    """Client IDs first: 00:03:00:01:... of eight bytes could be taken for an IPv6 address."""
    try:
        client = table.client(parse_duid(term))
        return [client] if client else []
    except ValueError:
        pass
    try:
        return table.owners(parse_prefix(term) if "/" in term else Prefix(parse_address(term), 128))
    except PrefixError as error:
        found = table.named(term)
        if not found and ("/" in term or ":" in term):
            raise AnsibleLookupError(f"{term}: {error}, a Client ID, or a name of the table") from error
        return found
