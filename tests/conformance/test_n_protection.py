# SPDX-License-Identifier: GPL-3.0-or-later
"""N: IP security where the underlay needs it: to be declared, and WireGuard beneath the tunnels."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.conformance.bench import Bench
from tests.conformance.fakes import FakeDhcp
from tests.conformance.name_server import ansible, link_inventory
from tests.conformance.plan import NATIVE6, NODES

INSIDE = {"r1": "10.88.0.1", "s1": "10.88.0.11", "c1": "10.88.0.101"}
PORT = 51820


@pytest.mark.parametrize("declared", [None, False, True])
def test_aero_219_protection_of_the_underlay_is_declared(tmp_path, declared):
    """The validation refuses an inventory that says nothing of it, and warns of an underlay without protection."""
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps(link_inventory(tmp_path, aero_underlay_protected=declared)))
    try:
        shown = ansible("ansible-playbook", "-i", str(path), "playbooks/validate.yml", warnings=True)
    except AssertionError as error:
        assert declared is None
        assert "aero_underlay_protected" in str(error)
    else:
        assert declared is not None
        assert ("aero_underlay_protected = false" in shown) == (declared is False)


def test_aero_219_over_wireguard(make_bench):
    """With WireGuard as the underlay a link works, and nothing of it is to be read outside."""
    bench = make_bench(nodes=("r1", "s1", "c1", "h1"), eun_mtu=1280)
    _start_wireguard(bench)
    infrastructure = {"r1": "s1", "s1": "r1"}
    for node in INSIDE:
        addresses = [] if node == "c1" else [INSIDE[node]]
        bench.configure(node, underlay=[{"interface": "wg0", "link_id": 0, "addresses": addresses}])
    for node, other in infrastructure.items():
        bench.configure(node, neighbor=[{"name": other, "id": NODES[other].id, "addresses": [INSIDE[other]]}])
    bench.configure("c1", client={"server_addresses": [INSIDE["s1"]]})
    u = bench.capture()
    bench.start("r1", "s1")
    bench.closing(FakeDhcp(bench, "s1"))
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"), 10, "a lease")
    bench.wait_for(lambda: bench.pings("h1", NATIVE6), 10, "a ping")
    assert bench.pings("h1", NATIVE6, 1280)
    ports = {(f.sport, f.dport) for f in u.find(lambda f: f.is_udp)}
    assert ports == {(PORT, PORT)}


def _start_wireguard(bench: Bench) -> None:
    """An interface wg0 at each node, with the others as peers, by the implementation in user space."""
    assert shutil.which("wireguard-go") and shutil.which("wg"), "needs wireguard-go and wireguard-tools"
    private = {node: _wg("genkey") for node in INSIDE}
    public = {node: _wg("pubkey", given=private[node]) for node in INSIDE}
    for node in INSIDE:
        # The socket by which wg talks to it is named after the interface, and is not in the network namespace.
        directory = bench.directory / node / "wireguard"
        directory.mkdir()
        config = directory / "wg0.conf"
        config.write_text(f"[Interface]\nPrivateKey = {private[node]}\nListenPort = {PORT}\n" + "".join(
            f"[Peer]\nPublicKey = {public[other]}\nEndpoint = {bench.address(other)}:{PORT}\nAllowedIPs = {INSIDE[other]}/32\n"
            for other in INSIDE if other != node
        ))  # fmt: skip
        mounted = f"mkdir -p /var/run/wireguard && mount --bind {directory} /var/run/wireguard && exec"
        bench.spawn(f"wireguard-{node}", node, "unshare", "-m", "sh", "-c", f"{mounted} wireguard-go -f wg0", WG_PROCESS_FOREGROUND="1")
        bench.wait_for(lambda directory=directory: (directory / "wg0.sock").exists(), 5, "wireguard-go")
        bench.run(node, "unshare", "-m", "sh", "-c", f"{mounted} wg setconf wg0 {config}")
        bench.ip(node, f"addr add {INSIDE[node]}/24 dev wg0", "link set wg0 mtu 1420 up")


def _wg(command: str, given: str | None = None) -> str:
    return subprocess.run(("wg", command), input=given, capture_output=True, text=True, check=True).stdout.strip()
