# SPDX-License-Identifier: GPL-3.0-or-later
"""The Server's Kea configuration, rendered from a table and judged by Kea itself through kea-check.

Needs root and the package kea-dhcp6-server.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import jinja2
import pytest
from ansible.plugins.filter.core import FilterModule as CoreFilters
from ansible_collections.aero.link.plugins.filter.addresses import FilterModule as AeroFilters

ROLE = Path(__file__).parents[2] / "roles" / "server"
TABLE = """client_id,acps,name,comment
00:02:00:00:b0:e2:00:00:00:00:00:00:00:01,2001:db8:1::/56 198.51.100.32/28,c1,
00:02:00:00:b0:e2:00:00:00:00:00:00:00:02,2001:db8:2:1::/64,c2,
"""


def render(table: Path) -> str:
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(CoreFilters().filters())
    for name, function in AeroFilters().filters().items():
        environment.filters[f"aero.link.{name}"] = function
    link = {
        "hosts": {"s1": {"id": 11}},
        "asps": ["198.51.100.0/24", "2001:db8::/32"],
        "acp_table": {"file": str(table)},
        "lease_preferred": 3600,
        "lease_valid": 7200,
        "lease_renew": 1000,
        "lease_rebind": 2000,
    }
    template = environment.from_string((ROLE / "templates" / "kea-dhcp6.conf.j2").read_text())
    return template.render(aero_link=link, inventory_hostname="s1")


def check(config: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["sh", str(ROLE / "files" / "kea-check"), str(config)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def config(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text(TABLE)
    config = tmp_path / "kea-dhcp6.conf"
    config.write_text(render(table))
    return config


def test_kea_takes_the_configuration(config):
    done = check(config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"::ffff:198.51.100.32/124"' in config.read_text()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("/56", "/129"), ("00:00:02", "00:00:01"), ('"renew-timer"', '"renew"'), ('"aero0"', '"aero1"')],
)
def test_kea_check_refuses_what_kea_would(config, right, wrong):
    """A prefix that is none, a Client twice, a key that is none, an interface that is not there."""
    config.write_text(config.read_text().replace(right, wrong))
    assert check(config).returncode not in (0, 127)


def test_kea_check_without_kea_says_so(config):
    """127 is what node_files takes for a checker that is not installed yet."""
    done = subprocess.run(
        ["/bin/sh", str(ROLE / "files" / "kea-check"), str(config)],
        env={"PATH": "/nonexistent"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 127
