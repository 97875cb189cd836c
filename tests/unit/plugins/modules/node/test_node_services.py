# SPDX-License-Identifier: GPL-3.0-or-later
"""node_services: units in their order, against a systemctl that keeps its units in files."""

from __future__ import annotations

import json

import pytest
from ansible_collections.aero.link.plugins.modules import node_services

# A unit is a file of its properties; each verb is noted, and changes them as systemd would.
SYSTEMCTL = r"""
units={units}
verb=$1; shift
if [ "$verb" = show ]; then
    shift
    first=yes
    for name in "$@"; do
        [ $first = yes ] || echo
        first=no
        cat "$units/$name" 2>/dev/null || printf '%s\n' LoadState=not-found ActiveState=inactive \
            SubState=dead UnitFileState= NeedDaemonReload=no NRestarts=0
    done
    exit 0
fi
echo "$verb${{1:+ $1}}" >>"$units/../done"
put() {{ sed -i "s/^$2=.*/$2=$3/" "$units/$1"; }}
case $verb in
    daemon-reload) sed -i 's/^NeedDaemonReload=.*/NeedDaemonReload=no/' "$units"/*; exit 0 ;;
esac
[ -e "$units/$1" ] || {{ echo "Unit $1 not found." >&2; exit 5; }}
case $verb in
    start|restart)
        [ ! -e "$units/../broken" ] || {{ echo "Job for $1 failed." >&2; exit 1; }}
        put "$1" ActiveState active; put "$1" SubState running ;;
    stop) put "$1" ActiveState inactive ;;
    enable) put "$1" UnitFileState enabled ;;
    disable) put "$1" UnitFileState disabled ;;
esac
"""


class Host:
    """The fake host: its units, and what systemctl was told."""

    def __init__(self, path) -> None:
        self.path = path
        (path / "units").mkdir()

    def unit(self, name: str, active="inactive", enabled="disabled", reload="no", restarts="0") -> None:
        (self.path / "units" / name).write_text(
            f"LoadState=loaded\nActiveState={active}\nSubState=x\nUnitFileState={enabled}\n"
            f"NeedDaemonReload={reload}\nNRestarts={restarts}\n"
        )

    def done(self) -> list[str]:
        path = self.path / "done"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def host(tmp_path, program):
    host = Host(tmp_path)
    program("systemctl", SYSTEMCTL.format(units=tmp_path / "units"))
    program("journalctl", 'echo "the journal of $*"\n')
    return host


@pytest.fixture
def services(run_module):
    def services(*services: dict, check: bool = False, **options) -> dict:
        options = {"settle": 0, "timeout": 1, **options}
        return run_module(node_services, check=check, services=list(services), **options)

    return services


A = {"name": "a.service", "enabled": True, "state": "started", "restart_on": ["a"], "reload_on": ["a-config"]}
B = {"name": "b.service", "enabled": True, "state": "started", "restart_on": ["b"]}


def test_units_are_enabled_and_started_in_order_once(host, services):
    host.unit("a.service")
    host.unit("b.service", active="failed")
    first = services(B, A)
    of_b = ["enable b.service", "reset-failed b.service", "start b.service"]
    assert host.done() == [*of_b, "enable a.service", "start a.service"]
    assert first["changed"]
    second = services(B, A)
    assert (second["changed"], host.done()) == (False, [])


def test_tags_restart_or_reload_what_runs(host, services):
    """Restarting includes reloading; a unit that has to be started has nothing to reload."""
    host.unit("a.service", active="active", enabled="enabled")
    host.unit("b.service", enabled="enabled")
    services(A, B, notify=["a-config", "b"])
    assert host.done() == ["reload a.service", "start b.service"]
    services(A, B, notify=["a-config", "a", "elsewhere"])
    assert host.done() == ["restart a.service"]


def test_a_unit_whose_work_is_gone_is_restarted(host, services, tmp_path):
    """A oneshot unit stays active when somebody removes what it made."""
    host.unit("a.service", active="active", enabled="enabled")
    made = tmp_path / "made"
    watched = {**A, "intact": f"test -e {made}"}
    assert services(watched, check=True)["actions"] == ["restart a.service"]
    made.touch()
    assert services(watched)["actions"] == []
    host.unit("a.service", enabled="enabled")
    there_yet = {**A, "intact": "no-such-command"}
    assert services(there_yet, check=True)["actions"] == ["start a.service"]


def test_waiting_tags_are_taken_up_once(host, services, tmp_path):
    """What a run that was cut off has left behind."""
    host.unit("a.service", active="active", enabled="enabled")
    pending = tmp_path / "pending.json"
    pending.write_text(json.dumps(["a"]))
    assert services(A, check=True)["actions"] == ["restart a.service"]
    assert host.done() == [] and pending.exists()
    services(A)
    services(A)
    assert host.done() == ["restart a.service"] and not pending.exists()


def test_tags_wait_for_the_services_that_know_them(host, services, tmp_path):
    """A call with some of a node's services, as for its keys, leaves what is for others."""
    host.unit("a.service", active="active", enabled="enabled")
    host.unit("b.service", active="active", enabled="enabled")
    pending = tmp_path / "pending.json"
    pending.write_text(json.dumps(["a", "b", "daemon-reload"]))
    services(A)
    assert host.done() == ["daemon-reload", "restart a.service"]
    services(B)
    assert host.done() == ["restart b.service"] and not pending.exists()


def test_tags_of_a_service_that_is_left_out_do_not_wait(host, services, tmp_path):
    pending = tmp_path / "pending.json"
    pending.write_text(json.dumps(["a"]))
    services({**A, "if_exists": "/nonexistent"})
    assert not pending.exists() and host.done() == []


def test_tags_wait_until_everything_runs(host, services, tmp_path):
    host.unit("a.service", active="active", enabled="enabled")
    (tmp_path / "broken").touch()
    pending = tmp_path / "pending.json"
    pending.write_text(json.dumps(["a"]))
    assert services(A)["failed"]
    assert pending.exists()


def test_systemd_reads_changed_unit_files_first(host, services):
    host.unit("a.service", active="active", enabled="enabled", reload="yes")
    assert services(A)["actions"] == ["daemon-reload"]
    assert host.done() == ["daemon-reload"]
    services(notify=["daemon-reload"])
    assert host.done() == ["daemon-reload"]


def test_check_mode_on_a_bare_host(host, services):
    """Units that do not exist yet would be started; nothing is done."""
    result = services(A, check=True)
    assert result["actions"] == ["enable a.service", "start a.service"]
    assert result["diff"]["after"] == "enable a.service\nstart a.service\n"
    assert host.done() == []


def test_units_are_stopped_and_disabled(host, services):
    """A unit that does not exist is stopped already, and one that is not ours is none of our business."""
    host.unit("a.service", active="active", enabled="enabled")
    host.unit("site.service", active="active", enabled="enabled")
    off = {"enabled": False, "state": "stopped"}
    services(
        {"name": "a.service", **off},
        {"name": "missing.service", **off},
        {"name": "site.service", "if_exists": "/nonexistent", **off},
    )
    assert host.done() == ["stop a.service", "disable a.service"]


def test_a_unit_that_does_not_start_is_reported_with_its_journal(host, services, tmp_path):
    host.unit("a.service", enabled="enabled")
    (tmp_path / "broken").touch()
    result = services(A, journal_lines=7)
    assert result["failed"]
    assert "a.service: start failed: Job for a.service failed." in result["msg"]
    assert "-n 7 -u a.service" in result["msg"]


def test_a_unit_that_fails_after_its_start_is_reported(host, services, program, tmp_path):
    """`systemctl start` of a simple service succeeds even if the program ends at once."""
    host.unit("a.service", enabled="enabled")
    script = SYSTEMCTL.format(units=tmp_path / "units")
    program("systemctl", script.replace("ActiveState active;", "ActiveState activating;"))
    assert "a.service: is activating" in services(A)["msg"]


def test_a_unit_that_is_started_again_and_again_is_reported(host, services, program, tmp_path):
    host.unit("a.service", enabled="enabled")
    script = SYSTEMCTL.format(units=tmp_path / "units")
    count = "sed -i 's/^NRestarts=.*/&0/' $units/a.service; exit 0"
    program("systemctl", script.replace("exit 0", count, 1))
    assert "fails and is started again" in services(A)["msg"]


def test_a_unit_that_does_not_exist_cannot_be_started(host, services):
    assert "a.service: enable failed: Unit a.service not found." in services(A)["msg"]
