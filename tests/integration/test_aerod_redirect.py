# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Clients find the way past Servers and Relay, and back: seen on the underlay, told by aeroctl."""

from __future__ import annotations

import time

import pytest

from aerod import aeroctl
from tests.conformance.bench import H2, H2_V4, Bench
from tests.conformance.conftest import start_link
from tests.namespaces import missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

_SAVED_AFTER = 0.5  # seconds; what changes is written together


def way(bench: Bench, capture, destination: str) -> list[str]:
    """Who sends an echo request of h1 on, hop by hop."""
    capture.clear()
    assert bench.pings("h1", destination)
    capture.wait_for(lambda f: f.node == "c2" and f.inner and f.inner.src == destination)
    return [f.node for f in capture.frames if f.inner and f.inner.dst == destination]


@pytest.fixture(scope="module")
def bench():
    made = Bench().build()
    try:
        start_link(made)
        yield made
    finally:
        made.destroy()


def course(bench: Bench, destination: str) -> dict:
    return bench.ask("c1", "redirects", address=destination)[0]


@pytest.mark.parametrize("destination", [H2, H2_V4])
def test_the_direct_path_after_the_first_packets(bench, destination):
    """First through Servers and Relay, then from Client to Client; `aeroctl redirects` says so."""
    capture = bench.capture()
    assert way(bench, capture, destination) == ["c1", "s1", "r1", "s2"]
    bench.wait_for(lambda: course(bench, destination)["direct"], 5)
    assert way(bench, capture, destination) == ["c1"]
    shown = aeroctl._SHOW["redirects"](bench.ask("c1", "redirects"))
    assert f"yes     {bench.address('c2')}:8060" in shown
    assert not {"internal_error"} & bench.counters("c1").keys()


@pytest.mark.parametrize("destination", [H2, H2_V4])
def test_a_killed_peer_is_reached_directly_as_soon_as_it_runs(bench, destination):
    """kill -9 of its aerod: whom it has accepted it accepts at once, without any message."""
    bench.pings("h1", destination)
    bench.wait_for(lambda: course(bench, destination)["direct"], 5)
    time.sleep(_SAVED_AFTER)
    bench.kill("c2")
    bench.start("c2")
    capture = bench.capture()
    assert way(bench, capture, destination) == ["c1"]
    assert "drop_origin" not in bench.counters("c2")
    assert course(bench, destination)["direct"]


def test_the_server_takes_over_when_the_peer_is_gone(bench):
    """NUD ends the course, and the reason is told."""
    bench.pings("h1", H2)
    bench.wait_for(lambda: course(bench, H2)["direct"], 5)
    bench.kill("c2")
    for _attempt in range(12):
        bench.pings("h1", H2)
        if not course(bench, H2)["direct"]:
            break
    row = course(bench, H2)
    assert row["reason"].startswith("NUD failed") and row["via"] == "fe80::b"
