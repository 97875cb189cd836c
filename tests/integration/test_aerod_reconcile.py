# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to the kernel or the disk, aerod makes it right again; root only, in network namespaces."""

from __future__ import annotations

import pytest

from aerod.address import Prefix
from aerod.shell.loop import Loop
from aerod.shell.route_sweep import RouteSweep
from aerod.shell.rtnl import Rtnl
from aerod.shell.rtnl_messages import MAIN_TABLE, Route
from tests.integration.aerod_link import ACP4, ACP6, OUTSIDE6, OWN6, Link, missing, running_link
from tests.namespaces import inside, run, wait_for

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
STRAY = "2001:db8:dead::/64"


@pytest.fixture(scope="module")
def link():
    with running_link() as made:
        yield made


def routes(link: Link) -> set[str]:
    """The destinations of protocol 128 in the Server's main table."""
    shown = link.show("s", "-6", "route", "show", "proto", "128") + link.show("s", "route", "show", "proto", "128")
    return {route["dst"] for route in shown}


def test_flushed(link) -> None:
    """All routes of ours at once."""
    link.run("s", "ip", "-6", "route", "flush", "proto", "128")
    link.run("s", "ip", "route", "flush", "proto", "128")
    wait_for(lambda: routes(link) == {ACP6, ACP4}, 3)


def test_replaced(link) -> None:
    """By a route to nowhere, which would not be announced."""
    link.run("s", "ip", "-6", "route", "replace", ACP6, "dev", "lo", "metric", "1024", "proto", "static")
    wait_for(lambda: [r["dev"] for r in link.show("s", "-6", "route", "show", ACP6)] == ["aero0"], 3)


def test_of_nobody(link) -> None:
    """A route that no Client has would attract packets; the routes of others stay."""
    link.run("s", "ip", "-6", "route", "add", "2001:db8:77::/64", "dev", "aero0", "proto", "static")
    link.run("s", "ip", "-6", "route", "add", STRAY, "dev", "aero0", "proto", "128")
    wait_for(lambda: routes(link) == {ACP6, ACP4}, 3)
    assert link.show("s", "-6", "route", "show", "2001:db8:77::/64")
    assert link.ask("s", "counters")["kernel_repaired"] >= 4


def test_down_and_up(link) -> None:
    """The kernel drops routes of an interface that goes down, and addresses too; aerod lives on."""
    link.run("c", "ip", "link", "set", "aero0", "down")
    link.run("c", "ip", "link", "set", "aero0", "up")
    wait_for(lambda: link.show("c", "-6", "route", "show", "table", "8060"), 3)
    assert wait_for(lambda: link.pings("c", OUTSIDE6), 5)


@pytest.mark.parametrize("node", ["s", "c"])
def test_the_interface_removed(link, node) -> None:
    """aerod ends, having saved all; with the interface made anew the next one brings everything back."""
    link.run(node, "ip", "link", "del", "aero0")
    wait_for(lambda: link.has_ended(node), 5)
    assert "the interface aero0 is gone" in link.log(node) and "Traceback" not in link.log(node)
    link.prepare(node)
    link.start(node)
    if node == "s":
        wait_for(lambda: routes(link) == {ACP6, ACP4}, 5)
        link.routes_of_bird(node)
        # Its sockets are on the old interface.
        link.kea.load()
    else:
        wait_for(link.has_lease, 5)
    assert wait_for(lambda: link.pings("c", OUTSIDE6), 5)
    assert wait_for(lambda: link.pings("r", OWN6), 5)


def test_a_full_disk(link) -> None:
    """Packets and leases go on, the operator is told, and once there is room all is saved."""
    files = link.directory / "s"
    text = (files / "state.json").read_text()
    link.kill("s", 15)
    disk = files / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk))
    try:
        (disk / "state.json").write_text(text)
        link.start("s", state_dir=disk)
        wait_for(lambda: link.ask("s", "leases"), 5)
        with pytest.raises(OSError, match="No space"):
            (disk / "rubbish").write_bytes(bytes(1 << 20))
        link.kill("c", 15)
        (link.directory / "c" / "state.json").unlink()
        link.start("c")
        wait_for(lambda: (link.ask("s", "status") or {}).get("save_error"), 10)
        assert wait_for(lambda: link.pings("c", OUTSIDE6), 10)
        assert link.ask("s", "counters")["save_failed"] >= 1
        assert (disk / "state.json").read_text() == text
        (disk / "rubbish").unlink()
        wait_for(lambda: not link.ask("s", "status")["save_error"], 10)
        assert (disk / "state.json").read_text() != text
        assert link.log("s").count("could not be saved") == 1
        link.kill("s", 15)
    finally:
        run("umount", str(disk))
    link.start("s")


def audit(link: Link) -> dict:
    return (link.ask("s", "status") or {}).get("lease_audit") or {}


def leases(link: Link) -> list[str]:
    rows = link.kea.ask("lease6-get-all").get("arguments", {}).get("leases", [])
    return sorted(row["ip-address"] for row in rows)


def test_a_lease_deleted_in_kea(link) -> None:
    """An operator's hand: the Client renews and has it again, everywhere."""
    wait_for(lambda: len(leases(link)) == 2)
    before = leases(link)
    assert link.kea.free([ACP6]) == []
    wait_for(lambda: leases(link) == before, 25)
    assert routes(link) == {ACP6, ACP4}
    wait_for(lambda: audit(link).get("neighbors_without_lease") == {"count": 0, "sample": []}, 25)


def test_a_lease_of_nobody(link) -> None:
    """What aerod does not know at the second look is ended in Kea."""
    stray = {"type": "IA_PD", "ip-address": "2001:db8:99::", "prefix-len": 64, "duid": "00:02:03:04", "iaid": 1}
    assert link.kea.ask("lease6-add", **stray, **{"subnet-id": 1})["result"] == 0
    assert len(leases(link)) == 3
    wait_for(lambda: len(leases(link)) == 2, 40)


def test_a_slow_look_at_many_routes(link) -> None:
    """Ten thousand routes arrive whole, a piece at a time, and what changes meanwhile is marked."""
    lines = (f"route add 2001:db9:{n >> 8:x}:{n & 255:x}00::/64 dev lo proto 77\n" for n in range(10_000))
    run("ip", "-n", link.prefix + "h", "-6", "-batch", "-", given="".join(lines))
    found: list[tuple[list[Route], set[Prefix], bool]] = []
    loop = Loop()
    errors: list[OSError] = []

    def done(*result) -> None:
        found.append(result)
        loop.stop()

    with inside(link.prefix + "h"):
        dumps = ((2, MAIN_TABLE, 77), (10, 8060, 77), (10, MAIN_TABLE, 77))
        sweep = RouteSweep(loop, dumps, done, errors.append)
        sweep.start()
        changed = Prefix.parse("2001:db9::/64")
        sweep.note(changed)
        loop.run()
        assert len(Rtnl().routes(10, MAIN_TABLE, 77)) == 10_000
    ((routes_found, touched, whole),) = found
    assert (len({route.prefix for route in routes_found}), touched, whole) == (10_000, {changed}, True)
    assert not errors and not sweep.running
