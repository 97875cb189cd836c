# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters, as a template gets them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.aero.link.plugins.filter.addresses import FilterModule

FILTERS = FilterModule().filters()


@pytest.mark.parametrize(("name", "arguments", "result"), [
    ("aero_address", ["2001:db8:1000:2000::/56"], "fe80::2001:db8:1000:2000"),
    ("aero_address", ["198.51.100.32/28"], "fe80::ffff:c633:6420"),
    ("aero_delegated_prefix", ["198.51.100.32/28"], "::ffff:198.51.100.32/124"),
    ("aero_delegated_prefix", ["2001:db8::/48"], "2001:db8::/48"),
    ("aero_link_local", [11], "fe80::b"),
    ("aero_link_local", ["11"], "fe80::b"),
    ("aero_capability_names", [["2001:db8:1::/48", "198.51.100.0/24"], "example.net"],
     [{"name": "*.1.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net.", "value": "example.net."}]),
    ("aero_capability_names", [["2001:db8:9:1::/64"], "example.net", "names.example"],
     [{"name": "1.0.0.0.9.0.0.0.8.b.d.0.1.0.0.2.names.example.", "value": "example.net."}]),
])
def test_result(name, arguments, result):
    assert FILTERS[name](*arguments) == result


def test_other_links_bring_gaps_but_not_their_own_names():
    names = FILTERS["aero_capability_names"](
        ["2001:db8::/36"], "example.net", others={"example.org": ["2001:db8:0100::/44"]})
    assert [record["name"].partition(".aero.")[0] for record in names] == [
        "*.0.8.b.d.0.1.0.0.2", "*.1.0.8.b.d.0.1.0.0.2"]


@pytest.mark.parametrize(("name", "arguments", "message"), [
    ("aero_address", ["2001:db8::1/56"],
     "aero_address: ACP = 2001:db8::1/56: has bits set to the right of its length; allowed: 2001:db8::/56"),
    ("aero_address", ["2001:db8::/80"], "aero_address: ACP = 2001:db8::/80: IPv6 ACP longer than /64; "
     "allowed: /64 or shorter"),
    ("aero_delegated_prefix", [None], "aero_delegated_prefix: ACP = (not set): missing; "
     "allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("aero_link_local", [0], "aero_link_local: id = 0: fe80:: is the link's subnet-router anycast address; "
     "allowed: 1 to 4294967295"),
    ("aero_capability_names", [["2001:db8::/32"], "no domain"],
     "aero_capability_names: domain = no domain: not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_capability_names", ["2001:db8::/32", "example.net"],
     "aero_capability_names: asps = 2001:db8::/32: not a list; allowed: a list of prefixes"),
])
def test_refusal(name, arguments, message):
    with pytest.raises(AnsibleFilterError) as error:
        FILTERS[name](*arguments)
    assert str(error.value) == message
