# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret behind the Clients' keys is changed, and nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.door import ROOT, aeroctl, attach_anew, on_node, run_playbook

CLIENTS, SERVERS = {"c1", "c2"}, {"s1", "s2"}
AEROD = "systemctl show -p MainPID,ActiveEnterTimestampMonotonic aerod"


@pytest.fixture
def secrets(tmp_path) -> Iterator[Path]:
    """The lab's secret in a file, by an inventory that is laid over the lab's; as it was afterwards."""
    (tmp_path / "hosts.yml").write_text("aero_servers: {}\naero: {}\n")
    path = tmp_path / "group_vars" / "aero_servers" / "psk.yml"
    path.parent.mkdir(parents=True)
    secret = (ROOT / ".lab/secrets/psk").read_text().strip().lower()
    path.write_text(f'aero_psk_secrets: [{{id: 1, secret: "{secret}"}}]\n')
    link = tmp_path / "group_vars" / "aero"
    link.mkdir()
    (link / "psk.yml").write_text(f"aero_psk_file: {path}\n")
    yield path
    run_playbook("site")
    for client in CLIENTS:
        attach_anew(client)
    run_playbook("verify")


def rotate(secrets: Path, *arguments: str, ok: bool = True):
    over = ("-i", str(secrets.parents[2]))
    return run_playbook("rotate_keys", *over, "--diff", *arguments, ok=ok)


def keys(node: str) -> list[int]:
    return aeroctl(node, "status")["authentication"]["keys"]


def test_rotation(secrets):
    before = {node: on_node(node, AEROD) for node in CLIENTS | SERVERS}
    leases = aeroctl("s1", "leases")

    predicted = rotate(secrets, "--check")
    assert predicted.changed.keys() >= CLIENTS | SERVERS
    assert keys("s1") == [1]
    assert "id: 2" not in secrets.read_text()

    begun = rotate(secrets)
    assert begun.changed.keys() == CLIENTS | SERVERS
    assert [keys(node) for node in ("s1", "s2", "c1", "c2")] == [[2, 1], [2, 1], [2], [2]]
    shown = begun.output + predicted.output
    assert not any(word in shown for word in secrets.read_text().split() if len(word) > 40)
    # Nothing was restarted, no lease touched.
    assert {node: on_node(node, AEROD) for node in CLIENTS | SERVERS} == before
    assert [lease["client_id"] for lease in aeroctl("s1", "leases")] == [lease["client_id"] for lease in leases]
    assert rotate(secrets).changed == {}

    too_early = rotate(secrets, "-e", "rotation=end", ok=False)
    assert too_early.code != 0 and "the old key is still needed" in too_early.output
    assert keys("s1") == [2, 1]
    for client in CLIENTS:
        attach_anew(client)
    assert rotate(secrets, "-e", "rotation=end").changed.keys() == SERVERS
    assert [keys(node) for node in ("s1", "s2")] == [[2], [2]]
    assert rotate(secrets, "-e", "rotation=end").changed == {}


def test_not_with_a_part_of_the_servers(secrets):
    refused = rotate(secrets, "--limit", "s1:c1", ok=False)
    assert refused.code != 0 and "name all Servers" in refused.output
    assert keys("s1") == [1]


def test_no_client_gets_a_key_that_a_server_may_not_know(secrets):
    """Unreachable, unlike failed, ends a play of ansible-core's, but not the run by itself."""
    silent = secrets.parents[2] / "host_vars" / "s2.yml"
    silent.parent.mkdir()
    silent.write_text("ansible_nsenter_pidfile: /nonexistent\n")
    stopped = rotate(secrets, ok=False)
    assert stopped.code != 0 and stopped.recap["s2"]["unreachable"] == 1
    assert [keys(node) for node in ("c1", "c2")] == [[1], [1]]
    silent.unlink()
    rotate(secrets)
    assert [keys(node) for node in ("s1", "s2", "c1", "c2")] == [[2, 1], [2, 1], [2], [2]]
