# SPDX-License-Identifier: GPL-3.0-or-later
"""Real aerods with the files that the role renders for an inventory that has packets signed; root only."""

from __future__ import annotations

from functools import partial

import pytest

from tests.integration.aerod_link import ACP4, ACP6, DUID, OUTSIDE4, OUTSIDE6, Link, missing, wait_for
from tests.unit.plugins.module_utils.link_inventory import LINK, underlay
from tests.unit.plugins.module_utils.rendered_configs import rendered

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

GROUPS = {"aero_relays": ["r"], "aero_servers": ["s"], "aero_clients": ["c"]}
OLD, NEW = {"id": 1, "secret": "01d0" * 16}, {"id": 2, "secret": "4e3d" * 16}


@pytest.fixture
def link():
    made = Link()
    made.build()
    yield made
    made.destroy()


def configure(made: Link, secrets: list, **client: list) -> None:
    """Write what the role makes of these secrets, and of variables of the Client."""
    table = made.directory / "acp_table.csv"
    table.write_text(f"client_id,acps,name,comment\n{DUID},{ACP6} {ACP4},c,\n")
    own = {
        "r": {"aero_id": 1, "aero_underlays": [underlay("203.0.113.1", "fd00:ae::1")]},
        "s": {"aero_id": 11, "aero_underlays": [underlay("203.0.113.11", "fd00:ae::b")]},
        "c": {
            "aero_client_id": DUID,
            "aero_client_server_addresses": ["203.0.113.11"],
            "aero_underlays": [{"interface": "eth0"}],
            **client,
        },
    }
    of_link = {**LINK, "aero_acp_table": str(table), "aero_dns_update_server": "", "aero_require_signature": True,
               "aero_signature_secrets": secrets, "aero_keepalive": 1}
    for node, text in rendered({name: {**of_link, **more} for name, more in own.items()}, GROUPS).items():
        (made.directory / node / "aerod.toml").write_text(text)


def started(made: Link, secrets: list) -> None:
    configure(made, secrets)
    for node in ("r", "s", "c"):
        made.start(node)
    made.start_kea()
    wait_for(made.has_lease)


def assert_reaches_the_outside(made: Link) -> None:
    for address in (OUTSIDE4, OUTSIDE6):
        assert wait_for(partial(made.pings, "c", address, 1400), 10)


def test_the_role_makes_a_link_that_takes_nothing_unsigned(link):
    started(link, [OLD])
    assert_reaches_the_outside(link)
    for node in ("r", "s", "c"):
        assert not link.ask(node, "counters").keys() & {"drop_signature", "drop_unsigned"}
    # A Client whose secret is none of the link's.
    text = (link.directory / "c" / "aerod.toml").read_text()
    key = next(line for line in text.splitlines() if line.startswith("secret"))
    (link.directory / "c" / "aerod.toml").write_text(text.replace(key, f'secret = "{OLD["secret"]}"'))
    link.kill("c", 15)
    link.start("c")
    wait_for(lambda: link.ask("s", "counters").get("drop_signature"))


def test_a_secret_is_replaced_on_a_running_link(link):
    started(link, [OLD])
    for secrets in ([OLD, NEW], [NEW, OLD], [NEW]):
        configure(link, secrets)
        for node in ("r", "s", "c"):
            link.kill(node, 15)
            link.start(node)
        assert_reaches_the_outside(link)


def test_a_client_without_dhcpv6_signs_with_the_key_of_its_address(link):
    own = underlay("203.0.113.101", "fd00:ae::65")
    configure(link, [OLD], aero_client_configured_servers=["s"], aero_underlays=[own])
    for node in ("r", "s", "c"):
        link.start(node)
    assert_reaches_the_outside(link)
    for node in ("r", "s", "c"):
        assert not link.ask(node, "counters").keys() & {"drop_signature", "drop_unsigned"}
