#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Can this host become a node or name server of the link? Only looks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check that a host can become a node or name server of an AERO link
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Looks for what only the host itself can tell, before anything is changed on any host.
    The distribution, its kernel, the interfaces and addresses the inventory names, ports that other
    programs have taken, configurations of BIRD, Kea and name servers that are not ours, a PostgreSQL
    or ISC dhcpd that is not ours where one is needed, disk space and the clock.
  - Fails with one line for each problem.
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.info_module
options:
  role:
    description: What the host shall be on the link. Left out for one that is a name server alone.
    type: str
    choices: [relay, server, client]
  dhcp_backend:
    description: The DHCPv6 back end, of a Server.
    type: str
    choices: [kea, kea_postgresql, isc]
    default: kea
  dns_backend:
    description: What the host shall be a name server with, if it shall be one.
    type: str
    choices: [bind, knot]
  port:
    description: The UDP port of the AERO interface.
    type: int
    default: 8060
  underlays:
    description: The underlying interfaces, as in RV(aero.link.validate_link#module:ansible_facts).
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: Name of the interface.
        type: str
        required: true
      addresses:
        description: Addresses it must have.
        type: list
        elements: str
        default: []
      link_id:
        description: Not looked at.
        type: int
      preference:
        description: Not looked at.
        type: int
  eun_interface:
    description: Interface toward the end user network, if there is one.
    type: str
    default: ''
  free_mb:
    description: How many megabytes must be free below C(/usr) and C(/var).
    type: int
    default: 100
"""

EXAMPLES = r"""
- name: Check the host
  aero.link.preflight:
    role: relay
    underlays:
      - interface: eth0
        addresses: [203.0.113.1]
"""

RETURN = r"""
problems:
  description: One line for each thing that must be repaired first.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aero.link.plugins.module_utils._preflight import Host, problems


def main() -> None:
    underlay = {
        "interface": {"type": "str", "required": True},
        "addresses": {"type": "list", "elements": "str", "default": []},
        "link_id": {"type": "int"},
        "preference": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["relay", "server", "client"]},
            "dhcp_backend": {"type": "str", "choices": ["kea", "kea_postgresql", "isc"], "default": "kea"},
            "dns_backend": {"type": "str", "choices": ["bind", "knot"]},
            "port": {"type": "int", "default": 8060},
            "underlays": {"type": "list", "elements": "dict", "default": [], "options": underlay},
            "eun_interface": {"type": "str", "default": ""},
            "free_mb": {"type": "int", "default": 100},
        },
        supports_check_mode=True,
    )
    found = problems(Host(), module.params, module.check_mode)
    if found:
        module.fail_json(msg="\n".join(found), problems=found)
    module.exit_json(changed=False, problems=[])


if __name__ == "__main__":
    main()
