#!/usr/bin/python
# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Gather the state of a node of an AERO link
version_added: 0.1.0
description:
  - Returns, in one call, the state of a node's AERO interface, neighbors, leases, prefixes, routes,
    BGP sessions, names, firewall table, versions and drop counters.
  - It only looks, and never dumps a table. Tables that can be big are returned as counts, hashes and
    samples, and single entries are looked up for the prefixes in O(lookup_prefixes). So it costs the
    same on a Server with ten Clients and on one with a hundred thousand.
  - A daemon that does not answer is a fact too. The module does not fail, RV(aero_node.problems) tells.
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.info_module
requirements:
  - iproute2
  - systemd
options:
  gather_subset:
    description:
      - What to gather. The keys of the same names in RV(aero_node) are returned.
      - V(neighbors) is about aerod's neighbor cache, V(delegated) about the DHCPv6 server,
        V(memory) about aerod's use of memory and processor time.
    type: list
    elements: str
    choices:
      - all
      - versions
      - interface
      - addresses
      - aerod
      - drop_counters
      - neighbors
      - leases
      - delegated
      - routes
      - bgp
      - mismatches
      - names
      - firewall
      - units
      - memory
    default: [all]
  interface:
    description: The AERO interface.
    type: str
    default: aero0
  lookup_prefixes:
    description:
      - Prefixes to look up one by one in the neighbor cache, in the kernel's main table and in
        BIRD.
    type: list
    elements: str
    default: []
  routes_inside:
    description:
      - Prefixes for which to tell whether the kernel has a route to exactly this prefix, and how many
        routes to
        parts of it.
      - This reads all routes inside the prefix, so it is meant for hosts outside the link, which should
        have one each.
    type: list
    elements: str
    default: []
  names:
    description: DNS names to resolve.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The absolute name.
        type: str
        required: true
      type:
        description: The type of the records.
        type: str
        choices: [A, AAAA, PTR]
        required: true
  name_servers:
    description: The addresses of the name servers to ask. Those of C(/etc/resolv.conf) when empty.
    type: list
    elements: str
    default: []
  units:
    description: The systemd units to look at. Those that are not installed are left out of the result.
    type: list
    elements: str
    default: [aero-firewall, aero-interface, aerod, aero-eun, bird, kea-dhcp6-server, aero-dhcpd, postgresql]
seealso:
  - module: aero.link.verify_link
  - module: aero.link.probe
"""

EXAMPLES = r"""
- name: Gather everything about a node
  aero.link.node_info:
  register: this_node

- name: Ask a Relay for the way to one prefix
  aero.link.node_info:
    gather_subset: [routes, bgp]
    lookup_prefixes: ["2001:db8:1::/56"]

- name: See what a host outside knows of the link
  aero.link.node_info:
    gather_subset: [routes]
    routes_inside: ["2001:db8::/32", "198.51.100.0/24"]
"""

RETURN = r"""
aero_node:
  description: The state of the node. Holds the subsets that were asked for.
  returned: always
  type: dict
  contains:
    problems:
      description: What could not be asked, one line each.
      type: list
      elements: str
    versions:
      description:
        - The versions of C(aerod), C(bird), the C(dhcp) server, C(kernel) and C(python), null for what
          does not run here.
      type: dict
    interface:
      description: The AERO interface as C(name), C(present), C(up), C(mtu) and C(addresses).
      type: dict
    addresses:
      description:
        - The usable addresses of global scope of all interfaces, each as C(interface), C(address)
          and C(length).
      type: list
      elements: dict
    aerod:
      description: Whether the daemon is C(running), and its C(status) as C(aeroctl status) shows it.
      type: dict
    drop_counters:
      description: The number of packets aerod dropped, by reason. Reasons that never occurred are left out.
      type: dict
    neighbors:
      description: aerod's neighbor cache.
      type: dict
      contains:
        permanent:
          description: All permanent entries.
          type: list
          elements: dict
        counts:
          description: The number of entries of each kind.
          type: dict
        sample:
          description: A few static entries.
          type: list
          elements: dict
        lookup:
          description: For each of O(lookup_prefixes) the entry that covers it, or null.
          type: dict
    leases:
      description: A Client's leases, one for each Server.
      type: list
      elements: dict
    prefixes:
      description: The prefixes a Client holds. Returned with the subset V(leases).
      type: list
      elements: str
    delegated:
      description: The DHCPv6 server of a Server. Null where there is none.
      type: dict
      contains:
        backend:
          description: Which back end it is, as in C(aero_dhcp_backend).
          type: str
        version:
          description: Name and version of the daemon, null when it does not answer.
          type: str
        prefixes:
          description: The number of prefixes delegated now.
          type: int
        reservations:
          description: The number of Clients in the table that is installed.
          type: int
        table_hash:
          description:
            - SHA-256 of the table that is installed, to be held against
              RV(aero.link.validate_link#module:ansible_facts).
          type: str
        listening:
          description: Whether the daemon has its sockets on its interface.
          type: bool
        table_loaded:
          description: Whether the daemon has read its configuration and table since they were last written.
          type: bool
    routes:
      description: The kernel's routes.
      type: dict
      contains:
        acp_routes:
          description:
            - The number of ACP routes aerod knows of. At a Server these are routes of kernel
              protocol 128.
          type: int
        policy_table:
          description: The default routes in table 8060, as C(ipv4) and C(ipv6).
          type: dict
        rules:
          description: The policy rules, as C(ipv4) and C(ipv6).
          type: dict
        lookup:
          description: For each of O(lookup_prefixes) the routes of the main table to exactly this prefix.
          type: dict
        inside:
          description:
            - For each of O(routes_inside) whether there is an C(exact) route, the number of
              C(more_specific) ones and a C(sample).
          type: dict
    bgp:
      description: BIRD. Null where there is none.
      type: dict
      contains:
        router_id:
          description: The router ID.
          type: str
        sessions:
          description:
            - The sessions, each as C(name), C(neighbor), C(asn), C(state), C(since), C(imported),
              C(exported) and C(error).
          type: list
          elements: dict
        lookup:
          description: For each of O(lookup_prefixes) BIRD's routes to exactly this prefix.
          type: dict
    mismatches:
      description:
        - Prefixes of which not everything is there that should be, on a Server a lease, a neighbor entry, a
          kernel route and a BGP announcement, on a Relay a route in BIRD and in aerod.
        - Each as the C(name) of what is wrong, its C(count) and a C(sample) of prefixes.
      type: list
      elements: dict
    names:
      description: The answers for O(names), each as C(name), C(type), C(rcode) and C(values).
      type: list
      elements: dict
    firewall:
      description: The nftables table C(inet aero), whether it is C(present), and the hash of its rules.
      type: dict
    units:
      description:
        - The state of each installed unit of O(units), as C(state), C(sub_state), C(restarts) and
          C(pid).
      type: dict
    memory:
      description:
        - aerod's proportional set size C(aerod_pss_kb), and its use of a core since it started,
          C(cpu_percent).
      type: dict
"""

import ipaddress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aero.link.plugins.module_utils._node_facts import SUBSETS, Node


def unusable(params):
    """The errors in the prefixes asked for, which become part of commands."""
    for option in ("lookup_prefixes", "routes_inside"):
        for prefix in params[option]:
            try:
                ipaddress.ip_network(prefix)
            except ValueError as error:
                yield f"{option} = {prefix!r}: {error}; allowed: prefixes such as 2001:db8::/32"


def main() -> None:
    name = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "gather_subset": {
                "type": "list", "elements": "str", "default": ["all"], "choices": ["all", *SUBSETS],
            },
            "interface": {"type": "str", "default": "aero0"},
            "lookup_prefixes": {"type": "list", "elements": "str", "default": []},
            "routes_inside": {"type": "list", "elements": "str", "default": []},
            "names": {
                "type": "list", "elements": "dict", "default": [],
                "options": {"name": name, "type": {**name, "choices": ["A", "AAAA", "PTR"]}},
            },
            "name_servers": {"type": "list", "elements": "str", "default": []},
            "units": {
                "type": "list", "elements": "str",
                "default": [
                    "aero-firewall", "aero-interface", "aerod", "aero-eun", "bird", "kea-dhcp6-server",
                    "aero-dhcpd", "postgresql",
                ],
            },
        },
        supports_check_mode=True,
    )  # fmt: skip
    errors = list(unusable(module.params))
    if errors:
        module.fail_json(msg="; ".join(errors))
    wanted = module.params["gather_subset"]
    node = Node(module)
    facts = {}
    for subset, gather in SUBSETS.items():
        if subset in wanted or "all" in wanted:
            facts.update(gather(node))
    module.exit_json(changed=False, aero_node=dict(facts, problems=node.problems))


if __name__ == "__main__":
    main()
