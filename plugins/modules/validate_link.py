#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_link
short_description: Check the inventory of an AERO link and make the link model of it
version_added: 0.1.0
description:
  - Looks at the C(aero_*) variables of all hosts of the inventory and at the ACP table, whatever the limit of
    the run. No host is contacted.
  - Finds all mistakes at once. Each is one line that names host (or file and line), variable, value, and what
    is allowed.
  - Without mistakes it returns the link model, with all defaults filled in and without any secret.
    The playbook C(aero.link.validate) keeps it as the variable C(aero_link), which roles and templates read.
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.info_module
  - aero.link.attributes.action
  - aero.link.attributes.run_once
options: {}
"""

EXAMPLES = r"""
- name: Check inventory and ACP table
  aero.link.validate_link:
  run_once: true
  register: validation

- name: Keep the link model
  ansible.builtin.set_fact:
    aero_link: "{{ validation.aero_link }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: The mistakes, one a line, sorted by host, those of the ACP table last; at most 50.
  returned: failure
  type: str
  sample: |-
    The inventory has one mistake; nothing was contacted:
    s2: aero_id = 11 (aero_id_base 9 + 2): already the ID of s1; allowed: each Relay and Server its own ID
aero_link:
  description:
    - The link model. A variable of the whole link is there by its name without C(aero_), such as C(port).
  returned: success
  type: dict
  contains:
    domain:
      description: The link's domain, without final dot. So are C(dns_zone), C(capability_suffix) and
        C(capability_zone).
      type: str
      sample: example.net
    asps:
      description: The service prefixes, sorted.
      type: list
      elements: str
      sample: [198.51.100.0/24, 2001:db8::/32]
    relays:
      description: The Relays, sorted by ID.
      type: list
      elements: dict
      contains: &infrastructure
        name:
          description: Name in the inventory.
          type: str
        id:
          description: The AERO ID.
          type: int
        link_local:
          description: The address fe80::ID.
          type: str
        asn:
          description: The AS number.
          type: int
        router_id:
          description: The ID in the form of an IPv4 address, as BGP wants it.
          type: str
        addresses:
          description: All underlay addresses.
          type: list
          elements: str
    servers:
      description: The Servers, sorted by ID.
      type: list
      elements: dict
      contains: *infrastructure
    clients:
      description: The Clients of the inventory, sorted by name.
      type: list
      elements: dict
      contains:
        name:
          description: Name in the inventory.
          type: str
        client_id:
          description: The DUID in hexadecimal.
          type: str
        acps:
          description: The prefixes of the Client, in the order of their IAIDs.
          type: list
          elements: str
    name_servers:
      description: The hosts of the group C(aero_name_servers).
      type: list
      elements: str
    acp_table:
      description: The ACP table.
      type: dict
      contains:
        file:
          description: Path on the controller, or C(aero_acp_table) where the rows are given as data.
          type: str
        compiled:
          description: Folder on the controller that has the table in a form to be searched, for this run.
          type: str
        rows:
          description: Number of Clients.
          type: int
        acps:
          description: Number of ACPs.
          type: int
        sha256:
          description: Hash of the content, whatever the order of the rows.
          type: str
    capability_names:
      description: The PTR records of the service prefixes, each with C(name), C(type), C(value), C(zone).
      type: list
      elements: dict
    server_names:
      description: The address records of the Servers, each with C(name), C(type), C(values), C(zone).
      type: list
      elements: dict
    hosts:
      description:
        - Each host of the link by its name. Every key is there for every host, empty where it has no meaning.
        - C(name), C(role) (V(relay), V(server), V(client) or V(name_server)), C(name_server), C(firewall).
        - Of a Relay or Server C(id), C(link_local), C(asn), C(router_id); of a Relay C(bgp_outside).
        - Of a Relay, Server or Client C(underlays) (each with C(interface), C(addresses), C(link_id),
          C(preference)) and all its C(addresses).
        - Of a Client C(client_id), C(duid), C(acps), C(aero_addresses), C(client_servers),
          C(client_server_addresses), C(eun_interface), C(eun_mtu).
        - Of a name server C(dns_backend).
      type: dict
"""
