# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets are sent to prove a link, and what comes of a loss."""

from __future__ import annotations

from ansible_collections.aero.link.plugins.module_utils._verify_probes import losses, plan
from ansible_collections.aero.link.plugins.module_utils._verify_report import report
from ansible_collections.aero.link.tests.unit.plugins.module_utils import verify_link_data as data


def planned(wanted=None, nodes=None):
    probes, missing = plan(data.link(), nodes or data.nodes(), wanted or {})
    return probes, [str(finding) for finding in missing]


def ways(targets):
    return [(target["to"], target["size"]) for target in targets]


def test_each_server_probes_the_tunnel_to_each_relay():
    """Small packets, and the biggest the kernel admits to a link-local address."""
    probes, _missing = planned()
    assert ways(probes["s1"]) == [
        ("fe80::1%aero0", 64), ("fe80::1%aero0", 1280), ("fe80::2%aero0", 64), ("fe80::2%aero0", 1280),
    ]  # fmt: skip


def test_a_client_probes_the_servers_it_has_leases_from():
    """A Server it only asks is left out."""
    nodes = data.nodes()
    nodes["c2"]["leases"][0]["state"] = "soliciting"
    probes, _missing = planned(nodes=nodes)
    tunnels = [way for way in ways(probes["c2"]) if "%" in way[0]]
    assert tunnels == [("fe80::c%aero0", 64), ("fe80::c%aero0", 1280)]


def test_clients_probe_each_other_from_their_acps():
    """Each the next one, in each family both have, small and of 1500 bytes."""
    probes, _missing = planned()
    ring = [target for target in probes["c1"] if "from" in target]
    assert [(t["from"], t["to"], t["size"]) for t in ring] == [
        ("2001:db8:1000::", "2001:db8:2000::", 64),
        ("2001:db8:1000::", "2001:db8:2000::", 1500),
    ]


def test_a_lone_client_has_nobody_to_probe():
    """A limited run with one Client sends nothing to itself."""
    probes, _missing = planned(nodes={"c1": data.nodes()["c1"]})
    assert not [target for target in probes["c1"] if "from" in target]


def test_an_own_probe_finds_the_address_of_the_host_it_names():
    """The address inside the service prefixes, of both families, small and of 1500 bytes."""
    probes, missing = planned({"x1": [{"to_host": "h1"}]})
    assert ways(probes["x1"]) == [
        ("198.51.100.34", 64), ("198.51.100.34", 1500), ("2001:db8:1000::5", 64), ("2001:db8:1000::5", 1500),
    ]  # fmt: skip
    assert missing == []


def test_an_own_probe_may_say_where_the_address_lies():
    """`within` takes the place of the service prefixes and, by that, of the families."""
    probes, _missing = planned({"h1": [{"to_host": "x1", "within": ["3fff:1::/48"], "sizes": [100]}]})
    assert ways(probes["h1"]) == [("3fff:1::80", 100)]


def test_an_address_that_is_not_there_yet_is_a_finding():
    """A host that has no address of one family is waited for, and named when it does not come."""
    nodes = data.nodes()
    nodes["h1"]["addresses"].pop()
    _probes, missing = planned({"x1": [{"to_host": "h1"}]}, nodes)
    assert missing == [f"h1: ipv4 address inside {data.ASPS[0]}, {data.ASPS[1]}: expected one, found none"]


def test_an_own_probe_to_a_host_outside_the_limit_is_left_out():
    """What was not looked at cannot be probed."""
    nodes = data.nodes()
    del nodes["h1"]
    assert planned({"x1": [{"to_host": "h1"}]}, nodes)[1] == []


RESULT = {
    "to": "fe80::1%aero0", "label": "r1 (tunnel)", "size": 1280, "expect": "reachable", "ok": True,
    "sent": 2, "received": 2, "rtt_avg": 1.25, "error": "",
}  # fmt: skip


def test_a_lost_packet_is_a_finding_of_the_host_that_sent_it():
    """With what ping complained of; a probe that did well is none."""
    lost = {**RESULT, "ok": False, "received": 0, "error": "connect: No route to host"}
    assert [str(finding) for finding in losses({"s1": [RESULT, lost]})] == [
        "s1: 1280-byte packets to r1 (tunnel) [fe80::1%aero0]: expected all answered, "
        "found 0 of 2 answered (connect: No route to host)"
    ]


def test_the_report_shows_who_is_where_and_what_was_sent():
    """One page: nodes, Clients with their Servers as these see them, packets with their times."""
    sent = {"s1": [{**RESULT, "size": 64, "rtt_avg": 0.5}, RESULT]}
    lines = report(data.link(), data.nodes(), sent)
    assert lines == [
        "AERO link example.net, service prefixes 198.51.100.0/24, 2001:db8::/32",
        "  node  role    address   aerod  bird    dhcp  bgp up  prefixes  memory",
        "  c1    client  fe80::c1  0.1.0  2.0.12  -     -       2         20.0 MB",
        "  c2    client  fe80::c2  0.1.0  2.0.12  -     -       1         20.0 MB",
        "  r1    relay   fe80::1   0.1.0  2.0.12  -     3 of 3  3         20.0 MB",
        "  r2    relay   fe80::2   0.1.0  2.0.12  -     2 of 2  3         20.0 MB",
        "  s1    server  fe80::b   0.1.0  2.0.12  -     2 of 2  3         20.0 MB",
        "  s2    server  fe80::c   0.1.0  2.0.12  -     2 of 2  3         20.0 MB",
        "",
        "Clients",
        "  client  prefixes                              at  seen as            NAT",
        "  c1      2001:db8:1000::/56, 198.51.100.32/28  s1  203.0.113.10:8060  yes",
        "                                                s2  203.0.113.10:8060  yes",
        "  c2      2001:db8:2000::/64                    s1  203.0.113.10:8060  no",
        "                                                s2  203.0.113.10:8060  no",
        "",
        "Packets (round trip time in ms)",
        "  from  to           address        64 bytes  1280 bytes",
        "  s1    r1 (tunnel)  fe80::1%aero0  0.5       1.2",
        "",
        "4 of 4 packets were answered.",
        "ACP table: 2 Clients, 3 ACPs, sha256 abababababababab, looked at on 2 Servers.",
    ]


def test_the_report_of_a_limited_run_says_what_was_not_checked():
    """The nodes that nobody looked at are named."""
    lines = report(data.link(), {"s1": data.nodes()["s1"]}, {})
    assert lines[-1] == "Not checked, because this run was limited: c1, c2, r1, r2, s2."
