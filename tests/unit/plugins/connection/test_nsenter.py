# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to a node: what it enters, and what it refuses to enter."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible_collections.aero.link.plugins.connection.nsenter import Connection

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="entering namespaces needs root")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A process with a network namespace of its own, which stands for a container's init."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    (tmp_path / "pid").write_text(str(process.pid))
    yield process
    process.kill()
    process.wait()


class Node(Connection):
    """The connection with its options given, not looked up by Ansible's plugin loader."""

    def __init__(self, **options: str) -> None:
        super().__init__(PlayContext())
        self._given = options

    def get_option(self, option: str, hostvars: object = None) -> str:
        return self._given[option]


def connect(pidfile: Path, netns: str) -> Node:
    """Return a connection as Ansible makes it."""
    connection = Node(pidfile=str(pidfile), netns=netns)
    connection._connect()
    return connection


@needs_root
def test_a_command_runs_in_the_namespaces_of_the_node(node: subprocess.Popen, tmp_path: Path) -> None:
    """The command sees the node's namespace and an environment that is not the controller's."""
    connection = connect(tmp_path / "pid", f"/proc/{node.pid}/ns/net")
    status, out, _err = connection.exec_command(
        "readlink /proc/self/ns/net; echo $HOME; cat", in_data=b"said\n"
    )
    assert status == 0
    assert out.decode().split() == [os.readlink(f"/proc/{node.pid}/ns/net"), "/root", "said"]


@needs_root
def test_a_failed_command_is_no_lost_connection(node: subprocess.Popen, tmp_path: Path) -> None:
    """Status 255 of the command itself comes back as it is."""
    connection = connect(tmp_path / "pid", f"/proc/{node.pid}/ns/net")
    assert connection.exec_command("echo bad >&2; exit 255") == (255, b"", b"bad\n")


@needs_root
def test_files_go_in_and_out(node: subprocess.Popen, tmp_path: Path) -> None:
    """A file copied in and fetched again is the same; a missing one is an error."""
    connection = connect(tmp_path / "pid", f"/proc/{node.pid}/ns/net")
    (tmp_path / "a").write_bytes(bytes(range(256)))
    connection.put_file(str(tmp_path / "a"), str(tmp_path / "it's b"))
    connection.fetch_file(str(tmp_path / "it's b"), str(tmp_path / "c"))
    assert (tmp_path / "c").read_bytes() == bytes(range(256))
    with pytest.raises(AnsibleError, match="cannot read"):
        connection.fetch_file(str(tmp_path / "none"), str(tmp_path / "d"))


@needs_root
def test_a_process_that_took_the_node_s_pid_is_not_entered(node: subprocess.Popen, tmp_path: Path) -> None:
    """The pid file of a crashed node names a stranger: its namespace tells."""
    with pytest.raises(AnsibleConnectionFailure, match="the node does not run"):
        connect(tmp_path / "pid", "/proc/self/ns/net").exec_command("true")


@needs_root
def test_a_node_without_pid_file_is_unreachable(tmp_path: Path) -> None:
    """A node that was never started is unreachable, not failed."""
    with pytest.raises(AnsibleConnectionFailure, match="the node does not run"):
        connect(tmp_path / "pid", "/proc/self/ns/net").exec_command("true")


def test_only_an_ordinary_user_needs_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root the command goes through sudo, which must not ask."""
    connection = connect(tmp_path / "pid", "/run/netns/none")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert connection._command("true")[:2] == ["sudo", "-n"]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert connection._command("true")[0] == "/bin/sh"
