# SPDX-License-Identifier: GPL-3.0-or-later
"""node_files: all files of a node or none, on real files."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat

import pytest
from ansible_collections.aero.link.plugins.modules import node_files

OWNER = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def place(run_module):
    def place(*files: dict, check: bool = False) -> dict:
        return run_module(node_files, check=check, files=[{**OWNER, **file} for file in files])

    return place


def mode(path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_directories_and_links_are_made_once(place, tmp_path):
    """Everything is as wanted after the first run, and the second changes nothing."""
    wanted = [
        {"path": str(tmp_path / "a" / "plain"), "content": "text\n", "on_change": ["a", "b"]},
        {"path": str(tmp_path / "binary"), "content_b64": "AP8=", "mode": "0755"},
        {"path": str(tmp_path / "dir"), "state": "directory", "mode": "0700"},
        {"path": str(tmp_path / "link"), "state": "link", "target": "a/plain", "on_change": ["b", "c"]},
        {"path": str(tmp_path / "gone"), "state": "absent"},
    ]
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "file").write_text("x")
    first = place(*wanted)
    assert first["changed"] and first["notify"] == ["a", "b", "c"]
    assert first["changed_files"] == [entry["path"] for entry in wanted]
    assert (tmp_path / "link").read_text() == "text\n"
    assert (tmp_path / "binary").read_bytes() == b"\0\xff"
    modes = [mode(tmp_path / name) for name in ("binary", "dir", "a/plain")]
    assert modes == [0o755, 0o700, 0o644]
    assert not (tmp_path / "gone").exists()
    second = place(*wanted)
    assert (second["changed"], second["notify"], second["diff"]) == (False, [], [])


def test_check_mode_tells_and_leaves_alone(place, tmp_path):
    old = tmp_path / "old"
    old.write_text("before\n")
    old.chmod(0o644)
    result = place(
        {"path": str(old), "content": "after\n", "on_change": ["x"]},
        {"path": str(tmp_path / "new"), "content": "new\n", "owner": "not-yet-there"},
        check=True,
    )
    assert result["changed"] and result["notify"] == ["x"]
    shown = [(diff["before"], diff["after"]) for diff in result["diff"]]
    assert shown == [("before\n", "after\n"), ("", "new\n")]
    assert sorted(os.listdir(tmp_path)) == ["old"] and old.read_text() == "before\n"


def test_permissions_alone_are_a_change(place, tmp_path):
    path = tmp_path / "file"
    path.write_text("same\n")
    path.chmod(0o600)
    inode = path.stat().st_ino
    result = place({"path": str(path), "content": "same\n", "on_change": ["x"]})
    assert result["notify"] == ["x"] and mode(path) == 0o644
    assert path.stat().st_ino == inode
    assert result["diff"][0]["before"].endswith("mode: 0600\n")


def test_nothing_is_replaced_when_one_checker_objects(place, program, tmp_path):
    """The complaint names the file as it will be called, not the copy that was checked."""
    program("checker", 'grep -q good "$1" || { echo "$1:1 bad line" >&2; exit 1; }\n')
    first, second = tmp_path / "first", tmp_path / "second"
    result = place(
        {"path": str(first), "content": "good\n", "validate": "checker %s"},
        {"path": str(second), "content": "wrong\n", "validate": "checker %s"},
    )
    assert result["failed"]
    assert f"{second}: refused by 'checker %s': {second}:1 bad line" in result["msg"]
    assert sorted(os.listdir(tmp_path)) == ["programs"]


def test_a_checker_may_be_one_of_the_new_files(place, tmp_path):
    """An argument that names another entry stands for its new content."""
    checker, config = tmp_path / "checker", tmp_path / "config"
    checker.write_text("exit 1\n")
    wanted = [
        {"path": str(checker), "content": 'grep -q good "$1"\n'},
        {"path": str(config), "content": "good\n", "validate": f"sh {checker} %s"},
    ]
    assert not place(*wanted).get("failed")
    assert config.read_text() == "good\n"


def test_missing_checker_is_a_note_in_check_mode_only(place, tmp_path):
    """A bare host has no Kea yet, which --check must survive; a real run must not skip the check."""
    for validate in ("no-such-checker %s", "sh -c 'exec no-such-checker' %s"):
        wanted = {"path": str(tmp_path / "config"), "content": "x", "validate": validate}
        checked = place(wanted, check=True)
        assert checked["changed"] and "not checked" in checked["notes"][0]
        assert place(wanted)["failed"]
    assert os.listdir(tmp_path) == []


def test_nothing_is_replaced_when_an_owner_is_unknown(place, tmp_path):
    result = place(
        {"path": str(tmp_path / "first"), "content": "x"},
        {"path": str(tmp_path / "second"), "content": "x", "group": "nobody-knows-me"},
    )
    assert f"{tmp_path / 'second'}: there is no group 'nobody-knows-me'" in result["msg"]
    assert os.listdir(tmp_path) == []


def test_unchanged_files_are_not_checked_again(place, tmp_path):
    path = tmp_path / "config"
    path.write_text("x")
    path.chmod(0o644)
    result = place({"path": str(path), "content": "x", "validate": "false %s"})
    assert not result["changed"] and not result.get("failed")


def test_secrets_stay_secret(place, tmp_path):
    path = tmp_path / "secret"
    wanted = {"path": str(path), "secret_content": "password one\n", "mode": "0640"}
    assert place(wanted)["changed"] and path.read_text() == "password one\n"
    result = place({**wanted, "secret_content": "password two\n"})
    assert result["diff"][0]["before"] != result["diff"][0]["after"]
    assert "password" not in json.dumps(result)


def test_masked_secrets_leave_the_rest_to_see(place, tmp_path):
    wanted = {"path": str(tmp_path / "secret"), "mask": "(?<=password ).*"}
    place({**wanted, "secret_content": "port 1\npassword one\n"})
    port = place({**wanted, "secret_content": "port 2\npassword two\n"}, check=True)["diff"][0]
    assert (port["before"], port["after"]) == ("port 1\npassword (secret)\n", "port 2\npassword (secret)\n")
    secret = place({**wanted, "secret_content": "port 1\npassword two\n"})["diff"][0]
    assert secret["after"] == secret["before"] + "(changed secret)\n"


def test_tags_wait_for_the_services(place, tmp_path):
    """A run that is cut off after the files must not be forgotten by the next."""
    place({"path": str(tmp_path / "a"), "content": "1", "on_change": ["one"]})
    place({"path": str(tmp_path / "b"), "content": "2", "on_change": ["two"]})
    place({"path": str(tmp_path / "b"), "content": "2", "on_change": ["two"]})
    assert json.loads((tmp_path / "pending.json").read_text()) == ["one", "two"]


def test_predecessor_of_a_version_is_kept(place, tmp_path):
    def deploy(version: str) -> None:
        name = f"app-{version}"
        place(
            {"path": str(tmp_path / name), "content": version},
            {"path": str(tmp_path / "app"), "state": "link", "target": name, "keep_predecessor": "app-*"},
        )

    for version in ("1", "2", "3", "3"):
        deploy(version)
    assert sorted(os.listdir(tmp_path)) == ["app", "app-2", "app-3"]
    assert (tmp_path / "app").read_text() == "3"


def test_what_is_not_ours_is_not_removed(place, tmp_path):
    ours, foreign = tmp_path / "ours", tmp_path / "foreign"
    ours.write_text("# Written by us\n")
    foreign.write_text("# somebody else's\n")
    absent = {"state": "absent", "if_contains": "by us"}
    result = place({"path": str(ours), **absent}, {"path": str(foreign), **absent})
    assert result["changed_files"] == [str(ours)]
    assert foreign.exists() and not ours.exists()


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ({"content": "x", "secret_content": "yyyyy"}, "exactly one of"),
        ({}, "exactly one of"),
        ({"content_b64": "%%"}, "is not base64"),
        ({"content": "x", "mode": "rw-r--r--"}, "not an octal number"),
        ({"state": "link"}, "needs a target"),
        ({"content": "x", "owner": "nobody-knows-me"}, "nobody-knows-me"),
    ],
)
def test_mistakes_are_named(place, tmp_path, file, complaint):
    path = str(tmp_path / "file")
    result = place({"path": path, **file})
    assert result["failed"] and path in result["msg"] and complaint in result["msg"]
    assert not os.path.exists(path)


def test_a_directory_never_gives_way_to_a_file(place, tmp_path):
    (tmp_path / "dir").mkdir()
    assert "is a directory" in place({"path": str(tmp_path / "dir"), "content": "x"})["msg"]
    (tmp_path / "file").write_text("x")
    assert "is a file" in place({"path": str(tmp_path / "file"), "state": "directory"})["msg"]
