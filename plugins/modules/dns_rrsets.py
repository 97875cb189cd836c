#!/usr/bin/python
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_rrsets
short_description: Publish RRsets by dynamic update
version_added: 0.1.0
description:
  - Brings a list of RRsets into the zones of an authoritative name server by dynamic update (RFC 2136),
    signed with TSIG (RFC 8945).
  - An RRset is all records of one name and type. Each is replaced as a whole; no other record is touched.
  - All changes of a zone are one transaction, so strangers see all or none of them. Only what does not fit
    into one message of 64 KiB is cut into several.
  - The transaction has prerequisites (RFC 2136 section 2.4). If an RRset changes between reading and writing,
    nothing is written.
  - Wildcard names are names like others here. An answer that the server makes up from a wildcard (RFC 4592)
    is not taken for an RRset. To tell, the module also sends updates that consist of prerequisites only, in
    check mode too; they change nothing.
  - In check mode the module only warns about a server that cannot be reached or refuses, and about a host
    without dnspython. All records then count as missing. The run may be what starts the server or changes
    its key.
author:
  - The aero.link developers (@aero-link)
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.full
requirements:
  - dnspython >= 2.3.0 on the host that runs the module
options:
  server:
    description: Address or name of the primary name server of the zones.
    type: str
    required: true
  port:
    description: Port of the name server.
    type: int
    default: 53
  protocol:
    description: V(udp) sends what fits into a datagram by UDP and the rest by TCP.
    type: str
    choices: [tcp, udp]
    default: tcp
  timeout:
    description: How long to wait for each answer, in seconds.
    type: float
    default: 10
  key_name:
    description: Name of the TSIG key.
    type: str
    required: true
  key_algorithm:
    description: Algorithm of the TSIG key.
    type: str
    choices: [hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512]
    default: hmac-sha256
  key_secret:
    description: Secret of the TSIG key, in base64.
    type: str
    required: true
  zone:
    description: The zone of the records that do not name theirs. Without it the server is asked.
    type: str
  ttl:
    description: The TTL of the records that do not name theirs, in seconds.
    type: int
    default: 3600
  records:
    description: The RRsets. All names are absolute, with or without the final dot.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Owner name.
        type: str
        required: true
      type:
        description:
          - Record type. What a server keeps itself is refused, such as V(SOA), or V(NS) of the zone itself.
        type: str
        required: true
      ttl:
        description: TTL in seconds. The default is O(ttl).
        type: int
      values:
        description:
          - The data of the records, each as in a zone file. Required unless O(records[].state=absent).
        type: list
        elements: str
        aliases: [value]
      state:
        description: Whether the RRset exists.
        type: str
        choices: [present, absent]
        default: present
      zone:
        description: The zone that holds the name.
        type: str
  registry:
    description:
      - A name whose C(TXT) RRset lists what was published. What earlier calls with the same registry
        published and O(records) does not contain any more is deleted, unless its values have changed since.
      - Without it nothing is deleted but what O(records) says.
    type: str
"""

EXAMPLES = r"""
- name: Publish the Servers and the capability of a /48
  aero.link.dns_rrsets:
    server: 203.0.113.53
    key_name: aero-link
    key_secret: "{{ aero_dns_tsig_secret }}"
    records:
      - name: linkupnetworks.example.net
        type: AAAA
        values: ["fd00:ae::11", "fd00:ae::12"]
      - name: "*.1.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net"
        type: PTR
        value: example.net.
        zone: aero.linkupnetworks.net
  delegate_to: localhost

- name: Withdraw a name
  aero.link.dns_rrsets:
    server: ns1.example.net
    key_name: aero-link
    key_secret: "{{ aero_dns_tsig_secret }}"
    records:
      - {name: b._server.linkupnetworks.example.net, type: A, state: absent}
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description:
    - What was changed, or would be in check mode. After a failure, what was changed before it.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Owner name.
      type: str
    type:
      description: Record type.
      type: str
    zone:
      description: The zone.
      type: str
    action:
      description: V(create), V(change) or V(delete).
      type: str
    values:
      description: The values afterwards.
      type: list
      elements: str
  sample:
    - name: linkupnetworks.example.net.
      type: AAAA
      zone: example.net.
      action: create
      values: ["fd00:ae::11"]
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.aero.link.plugins.module_utils._name_server import NameServer, ServerError
from ansible_collections.aero.link.plugins.module_utils._rfc2136 import (
    ALGORITHMS,
    DNSPYTHON_ERROR,
    RecordError,
    absolute_name,
    digest,
    parse_records,
    plan,
    registry_rrset,
    same,
    stale_rrsets,
    transactions,
    tsig_key,
)

CONNECTION = ("server", "port", "protocol", "timeout")


def locate(server, rrsets):
    """The same RRsets with their zones; raises ServerError if the server has not got one of the zones."""
    for zone in {rrset.zone for rrset in rrsets} - {None}:
        server.require_zone(zone)
    located = [rrset if rrset.zone else rrset._replace(zone=server.zone_of(rrset.name)) for rrset in rrsets]
    for rrset in located:
        if rrset.zone is None:
            raise ServerError(f"The name server {server} is not authoritative for the name of {rrset}.")
    return located


def with_registry(server, name, wanted):
    """Add to `wanted` the registry `name` itself, and the deletion of what it lists beyond `wanted`."""
    (place,) = locate(server, [registry_rrset(name, None, [])])
    (registry,) = server.read([place])
    stale = []
    for rrset, expected in stale_rrsets(registry, wanted):
        zone = server.zone_of(rrset.name)
        if zone is None:
            continue
        (current,) = server.read([rrset._replace(zone=zone)])
        if current.data is not None and digest(current.data) == expected:
            stale.append(current._replace(data=None))
    return [*wanted, *stale, registry_rrset(name, place.zone, wanted)]


def find_changes(server, rrsets, registry):
    """The list of changes that are needed for `rrsets`, in their order, the registry after all others."""
    wanted = locate(server, rrsets)
    if registry:
        wanted = with_registry(server, absolute_name(registry), wanted)
    return plan(wanted, server.read(wanted))


def apply_changes(server, changes, done):
    """Send `changes`, zone by zone, the registry's zone last. What was accepted is appended to `done`."""
    zones = list(dict.fromkeys(change.after.zone for change in reversed(changes)))
    for zone in reversed(zones):
        for part in transactions(zone, [change for change in changes if change.after.zone == zone]):
            server.change(zone, part)
            done += part
            for wanted, now in zip(part, server.read([change.after for change in part]), strict=True):
                if not same(now.data, wanted.after.data):
                    raise ServerError(
                        f"The name server {server} took the update of {now}, but did not do it."
                    )


def all_missing(rrsets):
    """The changes of a server that has none of the RRsets."""
    return plan(rrsets, [rrset._replace(data=None) for rrset in rrsets])


def describe(change):
    """One entry of the return value `changes`."""
    after = change.after
    return {
        "name": str(after.name),
        "type": after.type_text,
        "zone": str(after.zone) if after.zone else None,
        "action": change.action,
        "values": sorted(str(value) for value in after.data or ()),
    }


def as_text(rrsets):
    """RRsets as the lines of a zone file, for diff mode."""
    lines = []
    for rrset in rrsets:
        if rrset.data is not None:
            lines += sorted(rrset.data.to_text(rrset.name).splitlines())
    return "".join(line + "\n" for line in lines)


def main():
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "str", "required": True},
            "port": {"type": "int", "default": 53},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
            "timeout": {"type": "float", "default": 10},
            "key_name": {"type": "str", "required": True, "no_log": False},
            "key_algorithm": {
                "type": "str",
                "choices": ALGORITHMS,
                "default": "hmac-sha256",
                "no_log": False,
            },
            "key_secret": {"type": "str", "required": True, "no_log": True},
            "zone": {"type": "str"},
            "ttl": {"type": "int", "default": 3600},
            "records": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "required": True},
                    "ttl": {"type": "int"},
                    "values": {"type": "list", "elements": "str", "aliases": ["value"]},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "zone": {"type": "str"},
                },
            },
            "registry": {"type": "str"},
        },
        supports_check_mode=True,
    )
    option, done = module.params, []
    if DNSPYTHON_ERROR and module.check_mode:
        module.warn(f"{missing_required_lib('dnspython')} All records count as missing.")
        module.exit_json(changed=bool(option["records"]), changes=[])
    if DNSPYTHON_ERROR:
        module.fail_json(msg=missing_required_lib("dnspython"), exception=DNSPYTHON_ERROR)
    try:
        wanted = parse_records(option["records"], option["zone"], option["ttl"])
        key = tsig_key(option["key_name"], option["key_secret"], option["key_algorithm"])
        with NameServer(*(option[name] for name in CONNECTION), key) as server:
            changes = find_changes(server, wanted, option["registry"])
            if not module.check_mode:
                apply_changes(server, changes, done)
    except (RecordError, ServerError) as error:
        if isinstance(error, RecordError) or not module.check_mode:
            module.fail_json(
                msg=str(error), changed=bool(done), changes=[describe(change) for change in done]
            )
        module.warn(f"{error} All records count as missing.")
        changes = all_missing(wanted)
    module.exit_json(
        changed=bool(changes),
        changes=[describe(change) for change in changes],
        diff={
            "before": as_text(change.before for change in changes),
            "after": as_text(change.after for change in changes),
        },
    )


if __name__ == "__main__":
    main()
