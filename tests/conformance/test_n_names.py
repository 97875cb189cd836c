# SPDX-License-Identifier: GPL-3.0-or-later
"""N: names in the DNS, made by the collection, held by a real BIND, asked for by a real Client."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.conformance import packets as p
from tests.conformance.fakes import FakeDhcp
from tests.conformance.name_server import (
    CAPABILITY_SUFFIX,
    KEY,
    REPOSITORY,
    SECRET,
    NameServer,
    ansible,
    link_inventory,
    lookup_name,
    zone_tool,
)
from tests.conformance.plan import NODES

GOLDEN = [("*.1.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net.", "example.com.")]

# ASPs by domain; how many names of them; destinations and what is to be found for them.
CASES = {
    "aligned": ({"example.com": ["2001:db8:1::/48"]}, 1, {"2001:db8:1:ffff::": "example.com", "2001:db8:2::": None}),
    "two names": ({"example.com": ["2001:db8:1:2000::/51"]}, 2, {
        "2001:db8:1:2000::": "example.com", "2001:db8:1:3fff::": "example.com", "2001:db8:1:1fff::": None, "2001:db8:1:4000::": None}),
    "four names": ({"example.com": ["2001:db8:4::/46"]}, 4, {
        "2001:db8:4::": "example.com", "2001:db8:7:ffff::": "example.com", "2001:db8:3:ffff::": None, "2001:db8:8::": None}),
    "eight names": ({"example.com": ["2001:db8:8000::/33"]}, 8, {
        "2001:db8:8000::": "example.com", "2001:db8:ffff:ffff::": "example.com", "2001:db8:7fff::": None}),
    "one /64": ({"example.com": ["2001:db8:9:1::/64"]}, 1, {
        "2001:db8:9:1::5": "example.com", "2001:db8:9:2::": None, "2001:db8:9:10::": None}),
    "nested": ({"one.example": ["2001:db8::/32"], "two.example": ["2001:db8:1::/48", "2001:db8:9:1::/64"]}, None, {
        "2001:db8::": "one.example", "2001:db8:2::": "one.example", "2001:db8:9:2::": "one.example", "2001:db8:9:1f::": "one.example",
        "2001:db8:1::": "two.example", "2001:db8:1:ffff::": "two.example", "2001:db8:9:1::": "two.example", "2001:db9::": None}),
    "IPv4": ({"example.com": ["192.0.2.0/24"]}, 0, {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def names():
    """What the zone tool makes of each case."""
    return zone_tool({case: links for case, (links, _count, _expected) in CASES.items()})


def test_aero_208_names_of_a_48(names):
    """A wildcard below the nibbles of the ASP points to the link's domain."""
    assert names["aligned"] == GOLDEN


def test_aero_209_every_64_of_an_asp_and_no_other_is_found(names, make_bench):
    """ASPs between nibbles have 2, 4 or 8 names, a /64 its exact name, and nested ASPs hide nothing (RFC 4592)."""
    for case, (_links, count, _expected) in CASES.items():
        assert count in (None, len(names[case])), names[case]
    assert names["one /64"][0][0] == lookup_name("2001:db8:9:1::") + "."
    # One zone of BIND for each case, so that none of them fills the gaps of another.
    zones = {f"z{number}.test": [f"{name.replace(CAPABILITY_SUFFIX, f'z{number}.test')} PTR {value}" for name, value in names[case]]
             for number, case in enumerate(CASES)}  # fmt: skip
    server = NameServer(make_bench(nodes=("x",)), "x", zones)
    for number, (case, (_links, _count, expected)) in enumerate(CASES.items()):
        for destination, domain in expected.items():
            found = server.ask(lookup_name(destination).replace(CAPABILITY_SUFFIX, f"z{number}.test"))
            assert found == ([f"{domain}."] if domain else "NXDOMAIN"), (case, destination)


def test_aero_210_client_asks_for_the_64_of_a_correspondent(client_bench):
    """PTR of the 16 nibbles, once for each /64 outside; a name that is not there, or has no PTR, means no."""
    yes, no, no_data = "3fff:2:3:4::1", "3fff:5:6:7::1", "3fff:8:9:a::1"
    nibbles = {a: lookup_name(a).removesuffix(f".{CAPABILITY_SUFFIX}") for a in (yes, no, no_data)}
    lines = [f"*.{nibbles[yes][8:]} PTR example.com.", f"{nibbles[no_data]} TXT none"]
    names = NameServer(client_bench, "x", {CAPABILITY_SUFFIX: lines})
    client_bench.resolve_at(names.address, "c1")
    client_bench.configure("c1", client={"capability_lookup": True})
    client_bench.start("c1")
    client_bench.wait_for(lambda: client_bench.is_bound("c1"), what="a lease")
    for destination in (yes, yes.replace("::1", "::2"), no, no_data, "2001:db8:1:7::10"):
        client_bench.from_host("h1", p.echo("2001:db8:1000:2000::10", destination))

    def known() -> dict[str, str | None]:
        rows = client_bench.ask("c1", "capabilities") or []
        return {row["prefix"]: row["domain"] for row in rows if not row["waiting"]}

    expected = {"3fff:2:3:4::/64": "example.com", "3fff:5:6:7::/64": None, "3fff:8:9:a::/64": None}
    client_bench.wait_for(lambda: len(known()) == 3, 8, "answers")
    assert {prefix: domain and domain.rstrip(".") for prefix, domain in known().items()} == expected
    asked = [(name, kind) for name, kind in names.queries() if name.endswith(CAPABILITY_SUFFIX) and name != CAPABILITY_SUFFIX]
    assert set(asked) == {(lookup_name(a), "PTR") for a in (yes, no, no_data)}
    assert len(asked) == 3, "no name is asked for twice"


def test_aero_211_site_publishes_names_last():
    """When all nodes serve, site.yml publishes the Servers' names."""
    last = yaml.safe_load((REPOSITORY / "playbooks" / "site.yml").read_text())[-1]
    assert last["ansible.builtin.import_playbook"] == "names.yml"


def test_aero_211_servers_are_found_by_their_names(make_bench, tmp_path):
    """A Client that knows the domain only finds the Server by its A and AAAA records."""
    bench = make_bench(nodes=("s1", "c1", "x"))
    names = NameServer(bench, "x", {"example.net": []})
    bench.resolve_at(names.address, "c1")
    assert names.ask("linkupnetworks.example.net", "A") == "NXDOMAIN"
    bench.start("s1")
    bench.closing(FakeDhcp(bench, "s1"))
    _publish(bench, names, tmp_path)
    assert names.ask("linkupnetworks.example.net", "A") == names.ask("b._server.linkupnetworks.example.net", "A") == [NODES["s1"].v4]
    assert names.ask("linkupnetworks.example.net", "AAAA") == [NODES["s1"].v6]
    bench.configure("c1", client={"server_addresses": []})
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"), 5, "a lease from the Server that was found")
    asked = {(name, kind) for name, kind in names.queries() if name == "linkupnetworks.example.net"}
    assert {kind for _name, kind in asked} == {"A", "AAAA"}


def _publish(bench, names, directory) -> None:
    """Run playbooks/names.yml for a link of r1 and s1; localhost of x's namespace sends the updates."""
    path = directory / "hosts.json"
    path.write_text(json.dumps(link_inventory(
        directory, aero_dns_update_server=names.address, aero_dns_update_from="localhost", aero_dns_tsig_name=KEY,
        aero_dns_tsig_secret=SECRET, aero_capability_suffix="capability.example.net", aero_capability_zone="example.net",
    )))  # fmt: skip
    ansible("ansible-playbook", "-i", str(path), "playbooks/names.yml", node=("ip", "netns", "exec", bench.prefix + "x"))
