# SPDX-License-Identifier: GPL-3.0-or-later
"""The Server's Kea configuration, rendered from a table and judged by Kea itself through kea-check.

Needs root and the package kea-dhcp6-server.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.aero.link.plugins.module_utils._back_end_kea import Kea

from tests.role_templates import ROLE, render

LINES = [
    "00020000b0e200000001 2001:db8:1::/56 198.51.100.32/28\n",
    "00020000b0e200000002 2001:db8:2:1::/64\n",
]


def check(config: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["sh", str(ROLE / "files" / "kea-check"), str(config)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def config(tmp_path):
    """The configuration with the table included from beside it."""
    table = tmp_path / "reservations.json"
    table.write_text(Kea().text(LINES))
    config = tmp_path / "kea-dhcp6.conf"
    config.write_text(render("kea-dhcp6.conf.j2", "kea").replace(Kea.path, str(table)))
    return config


def test_kea_takes_the_configuration_and_the_table(config):
    done = check(config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"::ffff:198.51.100.32/124"' in (config.parent / "reservations.json").read_text()


def test_kea_takes_the_configuration_before_there_is_a_table(config):
    config.write_text(render("kea-dhcp6.conf.j2", "kea"))
    done = check(config)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("reservations.json", "/56", "/129"),
        ("reservations.json", "00:00:02", "00:00:01"),
        ("reservations.json", "2001:db8:2:1::/64", "2001:db8:1::/56"),
        ("kea-dhcp6.conf", '"renew-timer"', '"renew"'),
        ("kea-dhcp6.conf", '"aero0"', '"aero1"'),
        ("kea-dhcp6.conf", "lease_cmds", "lease_cmd"),
    ],
)
def test_kea_check_refuses_what_kea_would(config, file, right, wrong):
    """A prefix that is none, a Client twice, a prefix twice; a key that is none, an interface and a hook that are not there."""
    changed = config.parent / file
    assert right in changed.read_text()
    changed.write_text(changed.read_text().replace(right, wrong))
    assert check(config).returncode not in (0, 127)


def test_kea_check_without_kea_says_so(config):
    """127 is what node_files takes for a checker that is not installed yet."""
    done = subprocess.run(
        ["/bin/sh", str(ROLE / "files" / "kea-check"), str(config)],
        env={"PATH": "/nonexistent"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 127
