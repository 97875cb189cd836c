# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller are replaced whole."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from ansible_collections.aero.link.plugins.module_utils import _whole_file


def test_mode_is_kept_and_a_link_stays_a_link(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    _whole_file.replace(str(link), b"new")
    assert link.is_symlink() and file.read_text() == "new" and file.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2


def test_a_new_file_is_for_its_owner_or_like_another(tmp_path):
    alone, like = tmp_path / "alone", tmp_path / "like"
    _whole_file.replace(str(alone), b"x")
    (tmp_path / "other").touch(0o604)
    (tmp_path / "other").chmod(0o604)
    _whole_file.replace(str(like), b"x", like=str(tmp_path / "other"))
    assert (alone.stat().st_mode & 0o777, like.stat().st_mode & 0o777) == (0o600, 0o604)


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=OSError("full")))
    with pytest.raises(OSError, match="full"):
        _whole_file.replace(str(tmp_path / "file"), b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]
