# SPDX-License-Identifier: GPL-3.0-or-later
"""Which messages make which changes; what real servers do with them is in ../modules/dns_rrsets."""

from __future__ import annotations

import dns.name
import dns.rdataclass
import dns.rdatatype
import pytest
from ansible_collections.aero.link.plugins.module_utils import _rfc2136 as rfc2136

ZONE = dns.name.from_text("example.net")


def rrset(name, *values, rdtype="A", ttl=300):
    record = {"name": f"{name}.example.net", "type": rdtype, "values": values, "ttl": ttl}
    if not values:
        record["state"] = "absent"
    (parsed,) = rfc2136.parse_records([record], "example.net")
    return parsed


def change(name, before=(), after=(), rdtype="A"):
    return rfc2136.Change(rrset(name, *before, rdtype=rdtype), rrset(name, *after, rdtype=rdtype))


def lines(section):
    return [line for entry in section for line in entry.to_text().splitlines()]


def test_plan_leaves_out_what_is_as_wanted():
    same, gone = rrset("a", "192.0.2.1", "192.0.2.2"), rrset("b")
    wanted = [same, gone, rrset("c", "192.0.2.3"), rrset("d", "192.0.2.4", ttl=60)]
    current = [rrset("a", "192.0.2.2", "192.0.2.1"), gone, rrset("c"), rrset("d", "192.0.2.4")]
    changes = rfc2136.plan(wanted, current)
    assert [(str(change.after.name), change.action) for change in changes] == [
        ("c.example.net.", "create"),
        ("d.example.net.", "change"),
    ]


def test_prerequisites_hold_the_server_to_what_was_read():
    """Existing RRsets by value with TTL 0 (RFC 2136 section 2.4.2), others by their absence (2.4.3)."""
    message = rfc2136.update_message(
        ZONE, [change("a", ["192.0.2.1"], ["192.0.2.2"]), change("b", [], ["192.0.2.3"])]
    )
    assert lines(message.prerequisite) == ["a.example.net. 0 IN A 192.0.2.1", "b.example.net. NONE A"]
    assert lines(message.update) == [
        "a.example.net. ANY A",
        "a.example.net. 300 IN A 192.0.2.2",
        "b.example.net. 300 IN A 192.0.2.3",
    ]


def test_a_new_cname_needs_an_unused_name_unless_it_takes_the_place_of_others():
    alias = change("a", [], ["www.example.net."], rdtype="CNAME")
    assert lines(rfc2136.update_message(ZONE, [alias]).prerequisite) == ["a.example.net. NONE ANY"]
    both = rfc2136.update_message(ZONE, [alias, change("a", ["192.0.2.1"])])
    assert lines(both.prerequisite) == ["a.example.net. NONE CNAME", "a.example.net. 0 IN A 192.0.2.1"]
    assert lines(both.update) == ["a.example.net. ANY A", "a.example.net. 300 IN CNAME www.example.net."]


def test_big_updates_are_cut_between_names_and_nothing_is_lost():
    changes = [
        change(f"n{i // 2}", [], ["192.0.2.1"], rdtype=rdtype) for i, rdtype in enumerate(["A", "TXT"] * 50)
    ]
    parts = rfc2136.transactions(ZONE, changes, 1232)
    assert len(parts) > 1
    assert [change for part in parts for change in part] == changes
    for part, following in zip(parts, parts[1:], strict=False):
        assert part[-1].after.name != following[0].after.name
    for part in parts:
        message = rfc2136.update_message(ZONE, part)
        message.use_tsig(rfc2136.tsig_key("a-long-name-of-a-key.example.net", "c2VjcmV0", "hmac-sha512"))
        assert len(message.to_wire()) <= 1232
    assert rfc2136.transactions(ZONE, changes) == [changes]


def test_an_rrset_too_big_for_a_message_is_an_error():
    huge = change("a", [], [f"192.0.{i // 256}.{i % 256}" for i in range(5000)])
    with pytest.raises(rfc2136.RecordError, match="a.example.net. A does not fit into one message"):
        rfc2136.transactions(ZONE, [huge])


def test_the_registry_is_one_txt_record_and_tells_what_is_not_wanted_any_more():
    name = dns.name.from_text("_published.example.net")
    one, two, gone = rrset("a", "192.0.2.1"), rrset("*.b", "192.0.2.2"), rrset("c")
    registry = rfc2136.registry_rrset(name, ZONE, [one, two, gone])
    assert registry.rdtype == dns.rdatatype.TXT
    assert len(registry.data) == 1
    ((stale, digest),) = rfc2136.stale_rrsets(registry, [one, gone])
    assert stale.key == two.key
    assert digest == rfc2136.digest(two.data)
    assert rfc2136.stale_rrsets(rfc2136.registry_rrset(name, ZONE, [gone]), []) == []


def test_the_digest_is_of_the_values_whatever_their_order_ttl_and_case():
    first = rrset("a", "B.example.net.", "c.example.net.", rdtype="PTR")
    second = rrset("a", "c.example.net.", "b.example.net.", rdtype="PTR", ttl=60)
    assert rfc2136.digest(first.data) == rfc2136.digest(second.data)
    assert rfc2136.digest(first.data) != rfc2136.digest(rrset("a", "c.example.net.", rdtype="PTR").data)


@pytest.mark.parametrize("entry", ["nonsense", "a.example.net. NOSUCH 00000000", "a..b A 00000000"])
def test_a_registry_somebody_wrote_into_is_an_error(entry):
    registry = rrset("_published", f'"{entry}"', rdtype="TXT")
    with pytest.raises(rfc2136.RecordError, match="The registry _published.example.net. TXT has an entry"):
        rfc2136.stale_rrsets(registry, [])
