# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite as a pytest plugin: benches as fixtures, and a table of requirements at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conformance import aerods
from tests.conformance import bench as bench_module
from tests.conformance import capture as capture_module
from tests.conformance.bench import Bench
from tests.conformance.capture import Capture
from tests.conformance.fakes import FakeDhcp, FakeServer
from tests.conformance.peers import Peer, client_with_peers
from tests.conformance.plan import NODES
from tests.conformance.requirements import PAGE, Results, number_of
from tests.namespaces import missing

_LOG_LINES = 30
_TIME_SCALE = "time scale"


# The table


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write docs/conformance.md if all tests ran")


def pytest_configure(config: pytest.Config) -> None:
    config.aero_results = Results()
    for name in {name for r in config.aero_results.requirements.values() for name in r.markers}:
        config.addinivalue_line("markers", f"{name}: level or node of a requirement")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        number = number_of(item.name)
        if number is not None:
            for name in config.aero_results.requirements[number].markers:
                item.add_marker(name)


_config: list[pytest.Config] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    _config[:] = [session.config]
    reason = missing("nft")
    if reason:
        pytest.exit(f"the conformance suite {reason}", returncode=1)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # With several workers this is the controller's, which has them all. An error while a bench is built or taken down is a failure too.
    if report.when == "call" or report.outcome != "passed":
        scales = [value for name, value in report.user_properties if name == _TIME_SCALE]
        _config[0].aero_results.note(report.nodeid, report.outcome, scales)


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    terminalreporter.section("requirements")
    results = config.aero_results
    terminalreporter.write_line(results.text())
    if config.getoption("--write-table") and results.complete:
        PAGE.write_text(results.markdown())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Show what the daemons wrote beside a failure, and note how fast their clocks were."""
    item.user_properties += [(_TIME_SCALE, scale) for scale in aerods.scales - {1.0}]
    aerods.scales.clear()
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for one in bench_module.benches:
            for node in one.nodes:
                lines = one.log(node).splitlines()[-_LOG_LINES:]
                if lines:
                    report.sections.append((f"log of {node}", "\n".join(lines)))


# Benches


@pytest.fixture(autouse=True)
def _no_capture_stays() -> Iterator[None]:
    yield
    for one in list(capture_module.running):
        one.close()


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    """Make benches of a test's own, built but with nothing started: ``make_bench(family=6, mtu=9000)``."""
    made: list[Bench] = []

    def make(**how) -> Bench:
        made.append(Bench(**how))
        return made[-1].build()

    yield make
    for one in made:
        one.destroy()


def whole_link(bench: Bench) -> Bench:
    """Start everything: r1, s1 with c1, s2 with c2; each Server with a DHCPv6 server ``bench.dhcp[name]``."""
    bench.build()
    start_link(bench)
    return bench


def start_link(bench: Bench) -> None:
    """The same on a bench that is built and configured already."""
    infrastructure = [name for name in bench.configs if name[0] in "rs"]
    clients = [name for name in bench.configs if name[0] == "c"]
    bench.start(*infrastructure)
    bench.dhcp = {name: bench.closing(FakeDhcp(bench, name)) for name in infrastructure if name[0] == "s"}
    bench.start(*clients)
    for client in clients:
        bench.wait_for(lambda client=client: bench.is_bound(client), 20, f"a lease at {client}")
    for acp in [acp for name in clients for acp in NODES[name].acps if "r1" in bench.configs]:
        bench.wait_for(lambda acp=acp: bench.show("r1", "-6" if ":" in acp else "-4", "route", "show", acp), 10, acp)


def _shared(family: int) -> Iterator[Bench]:
    bench = Bench(family=family)
    try:
        yield whole_link(bench)
    finally:
        bench.destroy()


@pytest.fixture(scope="session")
def link4() -> Iterator[Bench]:
    """A whole link over IPv4, shared by all tests: leave it as it was."""
    yield from _shared(4)


@pytest.fixture(scope="session")
def link6() -> Iterator[Bench]:
    """The same over IPv6."""
    yield from _shared(6)


@pytest.fixture
def link(link4: Bench) -> Bench:
    """The whole link over IPv4."""
    return link4


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def any_link(request: pytest.FixtureRequest) -> Bench:
    """The whole link, once over each underlay."""
    return request.getfixturevalue(f"link{request.param}")


@pytest.fixture
def u(request: pytest.FixtureRequest) -> Capture:
    """A capture on the underlay of the bench that the test uses (link, any_link or bench)."""
    for name in ("any_link", "link", "link6", "client_bench"):
        if name in request.fixturenames:
            return request.getfixturevalue(name).capture()
    raise LookupError("the test uses no bench")


@pytest.fixture
def client_bench(make_bench: Callable[..., Bench]) -> Bench:
    """c1 (not started), and a fake Server at s1: ``bench.server``."""
    bench = make_bench(nodes=("s1", "c1", "x", "h1"))
    bench.server = FakeServer(bench)
    return bench


@pytest.fixture(scope="module")
def client_link() -> Iterator[Bench]:
    """c1 with a fake Server, shared by the tests of a file: make a peer, or several, for each."""
    with client_with_peers() as bench:
        yield bench


@pytest.fixture
def peer(client_link: Bench) -> Peer:
    """A correspondent of c1 on that bench, with IPv6 prefixes."""
    return Peer(client_link)
