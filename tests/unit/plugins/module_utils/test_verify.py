# SPDX-License-Identifier: GPL-3.0-or-later
"""Each wrong fact gives one finding that names the host; facts in order give none."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.aero.link.plugins.module_utils._verify import findings, questions
from ansible_collections.aero.link.tests.unit.plugins.module_utils import verify_link_data as data

C1_V6, C1_V4 = data.ACPS["c1"]
C2_V6 = data.ACPS["c2"][0]
HASH = "ab" * 32

# What is broken, by a statement on the nodes `n`, and the lines that must come of it.
BROKEN = {
    "node does not answer": (
        "n['s2'] = None",
        ["s2: node: expected answering, found no answer"],
    ),
    "unit failed": (
        "n['r1']['units']['bird']['state'] = 'failed'",
        ["r1: unit bird: expected active, found failed"],
    ),
    "unit missing": (
        "del n['s1']['units']['kea-dhcp6-server']",
        ["s1: unit kea-dhcp6-server: expected active, found not installed"],
    ),
    "end network unit missing": (
        "del n['c1']['units']['aero-eun']",
        ["c1: unit aero-eun: expected active, found not installed"],
    ),
    "interface down": (
        "n['c2']['interface']['up'] = False",
        ["c2: interface aero0: expected up, found down"],
    ),
    "daemon silent": (
        "n['r2']['aerod'] = {'running': False, 'status': None}; n['r2']['neighbors']['permanent'] = []",
        ["r2: aerod: expected answering on its control socket, found no answer"],
    ),
    "daemon stopped": (
        "n['c2']['aerod'] = {'running': False, 'status': None}; n['c2']['leases'] = []; "
        "n['c2']['units']['aerod']['state'] = 'failed'; n['c2']['routes']['lookup'] = {}",
        ["c2: unit aerod: expected active, found failed"],
    ),
    "routing daemon silent": (
        "n['r1']['bgp'] = None; n['r1']['routes']['lookup'] = {}",
        ["r1: BIRD: expected answering on its control socket, found no answer"],
    ),
    "firewall table missing": (
        "n['c1']['firewall']['present'] = False",
        ["c1: nftables table inet aero: expected present, found absent"],
    ),
    "mismatches": (
        "n['s1']['mismatches'] = [{'name': 'neighbor without route', 'count': 7, 'sample': ['2001:db8:1::/64']}, "
        "{'name': 'route not announced', 'count': 1, 'sample': []}]",
        [
            "s1: neighbor without route: expected none, found 7 (such as 2001:db8:1::/64)",
            "s1: route not announced: expected none, found 1",
        ],
    ),
    "state not saved": (
        "n['c1']['aerod']['status']['save_error'] = 'No space left on device'",
        ["c1: state of aerod: expected saved, found No space left on device"],
    ),
    "wrong ID": (
        "n['s1']['aerod']['status']['id'] = 13",
        ["s1: ID of aerod: expected 11, found 13"],
    ),
    "old key at a Client": (
        "n['c1']['aerod']['status']['authentication']['keys'] = [1]",
        ["c1: IDs of the DHCPv6 keys: expected 2, found 1"],
    ),
    "a Server that does not authenticate": (
        "n['s1']['aerod']['status']['authentication'] = None",
        ["s1: IDs of the DHCPv6 keys: expected 2, 1, found none"],
    ),
    "address missing": (
        "n['s1']['interface']['addresses'] = ['fe80::d/64']",
        ["s1: addresses of aero0: expected fe80::b/64, found fe80::d/64"],
    ),
    "permanent neighbor missing": (
        "n['r1']['neighbors']['permanent'].pop(0)",
        ["r1: permanent neighbor s1: expected 203.0.113.11, fd00:ae::11, found none"],
    ),
    "permanent neighbor left over": (
        "n['r1']['neighbors']['permanent'] += [{'link_local': 'fe80::d', 'links': [{'address': '::7'}]}]",
        ["r1: permanent neighbor fe80::d: expected none, found ::7"],
    ),
    "permanent neighbor with a wrong address": (
        "n['s2']['neighbors']['permanent'][1]['links'][0]['address'] = '203.0.113.3'",
        ["s2: permanent neighbor r2: expected 203.0.113.2, found 203.0.113.3"],
    ),
    "session down": (
        "n['s1']['bgp']['sessions'][0].update(state='Active', error='Hold timer expired')",
        [
            "s1: BGP session with r1 (fe80::1): expected AS 64512 Established, "
            "found AS 64512 Active (Hold timer expired)"
        ],
    ),
    "session of another AS": (
        "n['r2']['bgp']['sessions'][1]['asn'] = 4200000013",
        [
            "r2: BGP session with s2 (fe80::c): expected AS 4200000012 Established, "
            "found AS 4200000013 Established"
        ],
    ),
    "session missing": (
        "n['r2']['bgp']['sessions'].pop()",
        ["r2: BGP session with s2 (fe80::c): expected AS 4200000012 Established, found none"],
    ),
    "session left over": (
        "n['r2']['bgp']['sessions'].append(dict(n['r2']['bgp']['sessions'][0], neighbor='fe80::d'))",
        ["r2: BGP session with fe80::d: expected none, found AS 4200000011 Established"],
    ),
    "session to the outside down": (
        "n['r1']['bgp']['sessions'][2]['state'] = 'Connect'",
        ["r1: BGP session with x1 (198.18.0.9): expected AS 64999 Established, found AS 64999 Connect"],
    ),
    "table differs": (
        "n['s2']['delegated'].update(table_hash='cd' * 32, reservations=1)",
        [f"s2: ACP table: expected {HASH} (2 Clients), found {'cd' * 32} (1 Clients)"],
    ),
    "table not loaded": (
        "n['s2']['delegated']['table_loaded'] = False",
        ["s2: DHCP server: expected running with the installed configuration, found not so"],
    ),
    "other back end": (
        "n['s2']['delegated']['backend'] = 'isc'",
        ["s2: DHCP back end: expected kea, found isc"],
    ),
    "Kea deaf": (
        "n['s1']['delegated']['listening'] = False",
        ["s1: DHCP server: expected listening, found not so"],
    ),
    "Server without default": (
        "n['s1']['routes']['policy_table']['ipv6'] = []",
        ["s1: ipv6 default in table 8060, next hop: expected one of fe80::1, fe80::2, found none"],
    ),
    "service prefix not unreachable": (
        "n['r1']['routes']['lookup']['2001:db8::/32'] = []",
        ["r1: kernel route to 2001:db8::/32: expected unreachable, found none"],
    ),
    "name with too few addresses": (
        "n['c2']['names'][0]['values'] = ['203.0.113.11']",
        [
            "c2: name linkupnetworks.example.net. A: expected 203.0.113.11, 203.0.113.12, "
            "found 203.0.113.11"
        ],
    ),
    "name that does not exist": (
        "n['c2']['names'][1].update(values=[], rcode='NXDOMAIN')",
        [f"c2: name {data.CAPABILITY_NAME} PTR: expected example.net., found NXDOMAIN"],
    ),
    "name server silent": (
        "[name.update(values=[], rcode='203.0.113.53: no answer') for name in n['c2']['names']]",
        ["c2: names of the link: expected answers, found 203.0.113.53: no answer"],
    ),
    "lease missing": (
        "n['c1']['leases'][1]['state'] = 'soliciting'",
        ["c1: leases: expected bound at 2 Servers, found s1 bound, s2 soliciting"],
    ),
    "Server does not answer a Client": (
        "n['c1']['leases'][1].update(state='soliciting', server=None, server_address='203.0.113.12')",
        ["c1: leases: expected bound at 2 Servers, found s1 bound, 203.0.113.12 soliciting"],
    ),
    "other prefix leased": (
        f"n['c2']['leases'][0]['prefixes'] = [{{'prefix': '{C1_V4}'}}]",
        [f"c2: prefixes leased by s1: expected {C2_V6}, found {C1_V4}"],
    ),
    "Client without unreachable route": (
        f"n['c1']['routes']['lookup']['{C1_V4}'] = []",
        [f"c1: kernel route to {C1_V4}: expected unreachable, found none"],
    ),
    "Client without default": (
        "n['c1']['routes']['policy_table']['ipv4'][0]['dev'] = 'eth0'",
        ["c1: ipv4 default in table 8060: expected dev aero0, found eth0"],
    ),
    "Client without rule": (
        "n['c2']['routes']['rules']['ipv6'] = []",
        ["c2: ipv6 policy rules: expected one for table 8060, found none"],
    ),
    "end network without address": (
        "n['c1']['addresses'].pop()",
        [f"c1: address of {C1_V4} on eth1: expected one, found none"],
    ),
    "Server without neighbor entry": (
        f"n['s1']['neighbors']['lookup']['{C2_V6}'] = None",
        [f"s1: neighbor entry of c2: expected static with {C2_V6}, found none"],
    ),
    "Server without route": (
        f"n['s2']['routes']['lookup']['{C2_V6}'] = [{{'type': 'unicast', 'via': '', 'dev': 'eth0'}}]",
        [
            f"s2: kernel route to {C2_V6} of c2: expected dev aero0 proto 128, "
            "found unicast dev eth0 proto None"
        ],
    ),
    "Relay without kernel route": (
        f"n['r2']['routes']['lookup']['{C2_V6}'] = []",
        [f"r2: kernel route to {C2_V6} of c2: expected via s1, s2, found none"],
    ),
    "Relay with a route by another Server": (
        f"n['c2']['leases'].pop(0); l['hosts']['c2']['client_servers'] = 1; "
        f"n['r1']['bgp']['lookup']['{C2_V6}'].pop(0); n['r1']['bgp']['lookup']['{C2_V6}'][0]['best'] = True; "
        f"n['r1']['routes']['lookup']['{C2_V6}'][0]['via'] = 'fe80::b'; del n['r2']",
        [f"r1: kernel route to {C2_V6} of c2: expected via s2, found via s1"],
    ),
    "Relay without BGP route": (
        f"n['r1']['bgp']['lookup']['{C1_V4}'] = []",
        [f"r1: BGP route to {C1_V4} of c1: expected via s1, s2, found none"],
    ),
    "outside does not see a service prefix": (
        "n['x1']['routes']['inside']['198.51.100.0/24']['exact'] = False",
        ["x1: route to the service prefix 198.51.100.0/24: expected a route, found none"],
    ),
    "outside sees a Client": (
        f"n['x1']['routes']['inside']['2001:db8::/32'].update(more_specific=1, sample=['{C2_V6}'])",
        [f"x1: routes inside 2001:db8::/32: expected none, found 1 (such as {C2_V6})"],
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_wrong_fact_is_one_line(broken):
    """Breaking one fact gives exactly its line."""
    link, nodes = data.link(), data.nodes()
    statement, expected = BROKEN[broken]
    exec(statement, {"n": nodes, "l": link})
    assert [str(finding) for finding in findings(link, nodes, ["x1"])] == expected


def test_a_link_in_order_has_no_findings():
    """Nothing is wrong while all facts agree, and the facts are left as they are."""
    nodes = data.nodes()
    before = copy.deepcopy(nodes)
    assert findings(data.link(), nodes, ["x1"]) == []
    assert nodes == before


@pytest.mark.parametrize("kept", [["s1"], ["r2"], ["c1"], ["c2", "s2"], ["x1"], []])
def test_a_limited_run_judges_its_hosts_only(kept):
    """What was not looked at is not missed."""
    nodes = {name: node for name, node in data.nodes().items() if name in kept}
    assert findings(data.link(), nodes, [name for name in kept if name == "x1"]) == []


def test_unpublished_names_are_not_missed():
    """Without a server for DNS updates there are no names to resolve."""
    link, nodes = data.link(), data.nodes()
    link["dns_update_server"] = ""
    nodes["c1"]["names"] = []
    assert findings(link, nodes) == []


def test_each_role_is_asked_for_what_only_it_can_tell():
    """A Relay looks up service prefixes and ACPs, a Client its own and the names, a stranger nothing."""
    link = data.link()
    every_acp = [acp for acps in data.ACPS.values() for acp in acps]
    assert questions(link, "r1")["lookup_prefixes"] == data.ASPS + every_acp
    assert questions(link, "s1")["lookup_prefixes"] == every_acp
    client = questions(link, "c2")
    assert client["lookup_prefixes"] == data.ACPS["c2"]
    assert {"name": data.CAPABILITY_NAME, "type": "PTR"} in client["names"]
    assert questions(link, "ns1")["gather_subset"] == questions(link, "h1")["gather_subset"] == []
    assert questions(link, "h1", probing=True)["gather_subset"] == ["addresses", "routes"]
    assert questions(link, "x1", outside=True)["routes_inside"] == data.ASPS
