# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a module as Ansible would, on real files, with programs of the test's own on PATH."""

from __future__ import annotations

import json
import os

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(capsys, monkeypatch, tmp_path):
    """Call ``run_module(module, check=False, **options)``; returns the module's result."""
    monkeypatch.setattr(basic.AnsibleModule, "_log_invocation", lambda self: None)

    def run(module, check: bool = False, **options) -> dict:
        arguments = {
            "pending": str(tmp_path / "pending.json"),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_remote_tmp": str(tmp_path),
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Call ``program(name, script)`` to put a shell script on PATH, in front of everything."""
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def install(name: str, script: str) -> None:
        path = directory / name
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)

    return install
