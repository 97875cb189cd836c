# SPDX-License-Identifier: GPL-3.0-or-later
"""aerod_zipapp: one program, the same bytes for the same sources."""

from __future__ import annotations

import base64
import os
import subprocess
import zipfile

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.aero.link.plugins.lookup import aerod_zipapp


@pytest.fixture
def package(tmp_path):
    package = tmp_path / "prog"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sub" / "__init__.py").write_text("NAME = 'sub'\n")
    (package / "__main__.py").write_text("import sys\nfrom prog.sub import NAME\nprint(NAME, sys.argv[1:])\n")
    return package


def test_same_sources_give_the_same_bytes(package):
    before = aerod_zipapp.pack(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    (package / ".hidden.swp").write_text("x")
    os.utime(package / "__main__.py", (0, 1e9))
    (package / "__main__.py").chmod(0o700)
    assert aerod_zipapp.pack(package) == before
    (package / "sub" / "__init__.py").write_text("NAME = 'other'\n")
    assert aerod_zipapp.pack(package) != before


def test_the_result_runs(package, tmp_path):
    path = tmp_path / "app"
    path.write_bytes(aerod_zipapp.pack(package))
    path.chmod(0o755)
    done = subprocess.run([str(path), "one", "two"], capture_output=True, text=True, check=True)
    assert done.stdout == "sub ['one', 'two']\n"


def test_the_collections_own_daemon(tmp_path):
    (found,) = aerod_zipapp.LookupModule().run([])
    path = tmp_path / found["name"]
    path.write_bytes(base64.b64decode(found["content_b64"]))
    assert found["name"] == f"aerod-{found['sha256'][:12]}.pyz"
    assert "aerod/cli.py" in zipfile.ZipFile(path).namelist()
    done = subprocess.run(
        ["/usr/bin/python3", path, "aerod", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("aerod ")


def test_a_directory_without_a_program_is_refused(tmp_path):
    with pytest.raises(AnsibleLookupError, match="no __main__.py"):
        aerod_zipapp.LookupModule().run([str(tmp_path)])
