# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does to a zone, shown at real servers."""

from __future__ import annotations

import itertools

from ansible_collections.aero.link.plugins.modules import dns_rrsets

NAME = "linkupnetworks.example.net"


def rrset(name, rdtype, *values, **more):
    return {"name": name, "type": rdtype, "values": list(values), **more}


def absent(name, rdtype):
    return {"name": name, "type": rdtype, "state": "absent"}


SERVERS = [rrset(NAME, "A", "203.0.113.11", "203.0.113.12"), rrset(NAME, "AAAA", "fd00:ae::11")]


def actions(result):
    return [(change["name"], change["type"], change["action"]) for change in result["changes"]]


def test_an_rrset_is_created_changed_and_deleted_and_a_second_run_changes_nothing(server, publish):
    for protocol in ("tcp", "udp"):
        result = publish(server, *SERVERS, protocol=protocol)
        assert actions(result) == [(NAME + ".", "A", "create"), (NAME + ".", "AAAA", "create")]
        assert server.ask(NAME, "A") == ["203.0.113.11", "203.0.113.12"]
        serial = server.serial("example.net")
        assert publish(server, *SERVERS, protocol=protocol)["changed"] is False
        assert server.serial("example.net") == serial

        assert actions(publish(server, rrset(NAME, "A", "203.0.113.12"), protocol=protocol)) == [
            (NAME + ".", "A", "change")
        ]
        assert server.ask(NAME, "A") == ["203.0.113.12"]
        assert server.ask(NAME, "AAAA") == ["fd00:ae::11"]

        gone = [absent(NAME, "A"), absent(NAME, "AAAA")]
        assert len(actions(publish(server, *gone, protocol=protocol))) == 2
        assert server.ask(NAME, "A") == "NOERROR"
        assert publish(server, *gone, protocol=protocol)["changed"] is False


def test_the_ttl_alone_is_a_change(server, publish):
    publish(server, rrset(NAME, "A", "203.0.113.11", ttl=60))
    assert actions(publish(server, rrset(NAME, "A", "203.0.113.11", ttl=600))) == [
        (NAME + ".", "A", "change")
    ]
    assert publish(server, rrset(NAME, "A", "203.0.113.11", ttl=600))["changed"] is False


def test_no_other_record_is_touched(server, publish):
    publish(server, *SERVERS)
    publish(server, absent(NAME, "A"), absent(NAME, "AAAA"))
    assert server.ask(NAME, "TXT") == ['"somebody else\'s"']
    assert server.ask(NAME, "MX") == ["10 mail.example.net."]
    assert server.ask("x.wild." + NAME, "A") == ["192.0.2.99"]


def test_all_changes_of_a_zone_are_one_transaction(server, publish, refused):
    serial = int(server.serial("example.net"))
    publish(server, *SERVERS, rrset("b._server." + NAME, "A", "203.0.113.11"))
    assert int(server.serial("example.net")) == serial + 1

    not_ours = rrset("www.example.net", "A", "203.0.113.99")
    reason = "BADKEY" if server.backend == "knot" else "REFUSED"
    assert reason in refused(server, rrset(NAME, "A", "203.0.113.99"), not_ours)
    assert server.ask(NAME, "A") == ["203.0.113.11", "203.0.113.12"]


def test_zones_are_found_at_the_server(server, publish):
    result = publish(server, SERVERS[0], rrset("*.8.b.d.0.aero.test", "PTR", "example.net."))
    assert [change["zone"] for change in result["changes"]] == ["example.net.", "aero.test."]
    assert server.ask("1.8.b.d.0.aero.test", "PTR") == ["example.net."]


def test_check_mode_and_diff_say_what_would_change_and_change_nothing(server, publish):
    publish(server, SERVERS[0])
    serial = server.serial("example.net")
    result = publish(server, rrset(NAME, "A", "203.0.113.11"), SERVERS[1], check=True)
    assert actions(result) == [(NAME + ".", "A", "change"), (NAME + ".", "AAAA", "create")]
    assert result["diff"] == {
        "before": f"{NAME}. 3600 IN A 203.0.113.11\n{NAME}. 3600 IN A 203.0.113.12\n",
        "after": f"{NAME}. 3600 IN A 203.0.113.11\n{NAME}. 3600 IN AAAA fd00:ae::11\n",
    }
    assert server.serial("example.net") == serial


def test_what_a_wildcard_makes_up_is_no_rrset(server, publish):
    """The answer for a name below a wildcard looks exactly like an RRset of that name."""
    covered = "x.wild." + NAME
    assert publish(server, absent(covered, "A"))["changed"] is False
    assert actions(publish(server, rrset(covered, "A", "192.0.2.99"))) == [(covered + ".", "A", "create")]
    server.update("example.net", ("delete", "*.wild.linkupnetworks"))
    assert server.ask(covered, "A") == ["192.0.2.99"]


def test_a_wildcard_name_is_a_name_like_others(server, publish):
    deeper = "*.y.wild." + NAME
    assert actions(publish(server, rrset(deeper, "A", "192.0.2.99"))) == [(deeper + ".", "A", "create")]
    assert publish(server, rrset("*.wild." + NAME, "A", "192.0.2.99", ttl=300))["changed"] is False
    assert actions(publish(server, absent("*.wild." + NAME, "A"))) == [
        ("*.wild." + NAME + ".", "A", "delete")
    ]
    assert server.ask("x.wild." + NAME, "A") == "NXDOMAIN"
    assert server.ask("x.y.wild." + NAME, "A") == ["192.0.2.99"]


def test_a_cname_and_other_records_of_a_name_exclude_each_other(server, publish, refused):
    alias, serial = "alias." + NAME, server.serial("example.net")
    address = rrset(alias, "A", "192.0.2.1")
    assert "alias.linkupnetworks.example.net. is a CNAME" in refused(server, address)
    assert "YXDOMAIN" in refused(server, rrset(NAME, "CNAME", "www.example.net."))
    assert "beside the CNAME" in refused(server, address, rrset(alias, "CNAME", "www.example.net."))
    assert server.serial("example.net") == serial

    publish(server, absent(alias, "CNAME"), address)
    assert server.ask(alias, "A") == ["192.0.2.1"]
    publish(server, absent(alias, "A"), rrset(alias, "CNAME", "www.example.net."))
    assert server.ask(alias, "CNAME") == ["www.example.net."]


def test_what_changes_between_reading_and_writing_is_not_overwritten(server, publish, refused, monkeypatch):
    publish(server, SERVERS[0])
    find_changes = dns_rrsets.find_changes

    def slow(*arguments):
        changes = find_changes(*arguments)
        server.update("example.net", ("replace", "linkupnetworks", 3600, "A", "203.0.113.77"))
        return changes

    monkeypatch.setattr(dns_rrsets, "find_changes", slow)
    message = refused(server, rrset(NAME, "A", "203.0.113.13"), SERVERS[1])
    assert "changed nothing in the zone example.net. (NXRRSET)" in message
    assert server.ask(NAME, "A") == ["203.0.113.77"]
    assert server.ask(NAME, "AAAA") == "NOERROR"


def test_more_than_one_message_can_hold_still_arrives(bind, publish):
    names = [f"{a}.{b}.aero.test" for a, b in itertools.product(range(60), range(25))]
    values = [f"a-rather-long-name-for-a-domain-{i}.example.net." for i in range(2)]
    records = [rrset(name, "PTR", *values) for name in names]
    assert len(publish(bind, *records)["changes"]) == len(names)
    assert bind.ask(names[-1], "PTR") == values
    assert publish(bind, *records)["changed"] is False


def test_the_registry_deletes_what_is_not_given_any_more(server, publish):
    registry = {"registry": "_published." + NAME}
    one, two = (
        rrset("b._server." + NAME, "A", "203.0.113.11"),
        rrset("c._server." + NAME, "A", "203.0.113.12"),
    )
    wild = rrset("*.8.b.d.0.aero.test", "PTR", "example.net.")
    publish(server, one, two, wild, **registry)
    assert publish(server, one, two, wild, **registry)["changed"] is False

    assert ("c._server." + NAME + ".", "A", "delete") in actions(publish(server, one, check=True, **registry))
    publish(server, one, **registry)
    assert server.ask("c._server." + NAME, "A") == "NXDOMAIN"
    assert server.ask("1.8.b.d.0.aero.test", "PTR") == "NXDOMAIN"
    assert server.ask("b._server." + NAME, "A") == ["203.0.113.11"]
    assert server.ask("1.f.f.aero.test", "PTR") == ["somebody-else.example."]
    assert publish(server, one, **registry)["changed"] is False


def test_the_registry_does_not_delete_what_somebody_else_has_changed_since(server, publish):
    registry = {"registry": "_published." + NAME}
    one = rrset("b._server." + NAME, "A", "203.0.113.11")
    publish(server, one, **registry)
    server.update("example.net", ("replace", "b._server.linkupnetworks", 3600, "A", "192.0.2.5"))
    assert actions(publish(server, **registry)) == [("_published." + NAME + ".", "TXT", "delete")]
    assert server.ask("b._server." + NAME, "A") == ["192.0.2.5"]
