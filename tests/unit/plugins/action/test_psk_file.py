# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of the secrets, as playbooks/rotate_keys.yml changes it on the controller."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.aero.link.plugins.plugin_utils import _psk_file

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[4]
FIRST = {"id": 4294967295, "secret": "5ec2e7" * 16}
PLAY = """
- hosts: s1
  gather_facts: false
  tasks:
    - aero.link.psk_file:
        path: "{{ file | default('secrets/psk.yml') }}"
        step: "{{ step }}"
        known: "{{ aero_psk_secrets | default([]) }}"
      register: done
    - ansible.builtin.debug:
        msg: "ids {{ done.ids }} changed {{ done is changed }} lengths {{ done.secrets | map(attribute='secret') | map('length') }}"
"""


class Site:
    """An inventory that takes aero_psk_secrets from a file, perhaps encrypted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "group_vars" / "all" / "psk.yml"
        self.file.parent.mkdir(parents=True)
        (folder / "hosts.yml").write_text("all: {hosts: {s1: }}\n")
        (folder / "play.yml").write_text(PLAY)
        (folder / "password").write_text("vault-password\n")

    def write(self, *secrets: dict) -> None:
        self.file.write_text(yaml.safe_dump({"aero_psk_secrets": list(secrets)}))

    def vault(self, verb: str) -> str:
        command = (BIN / "ansible-vault", verb, "--vault-password-file", self.folder / "password", self.file)
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout

    def run(self, step: str, *more: str) -> str:
        command = (BIN / "ansible-playbook", "-i", self.folder / "hosts.yml", self.folder / "play.yml", "-vvv",
                   "-e", f"step={step}", "-e", f"file={self.file}",
                   "--vault-password-file", self.folder / "password", *more)
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        output = done.stdout + done.stderr
        held = _psk_file.read(self.vault("view") if self.file.read_bytes().startswith(b"$") else self.file.read_text()) \
            if self.file.exists() and done.returncode == 0 else [FIRST]
        assert not any(each["secret"] in output for each in held)
        return output


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_rotation(site, encrypted):
    """A new secret, once; then the old one goes, once. The file stays what it was, and for its owner alone."""
    site.write(FIRST)
    os.chmod(site.file, 0o600)
    if encrypted:
        site.vault("encrypt")
    steps = [("begin", "--check"), ("begin",), ("begin",), ("end", "--check"), ("end",), ("end",)]
    said = []
    for step, *more in steps:
        output = site.run(step, *more)
        said.append(next((line.strip() for line in output.splitlines() if "msg: ids" in line), output))
        assert site.file.read_bytes().startswith(b"$ANSIBLE_VAULT") is encrypted
        assert site.file.stat().st_mode & 0o777 == 0o600
    two, one = "msg: ids [1, 4294967295] changed {} lengths [64, 96]", "msg: ids [1] changed {} lengths [64]"
    assert said == [two.format(True), two.format(True), two.format(False),
                    one.format(True), one.format(True), one.format(False)]


def test_the_first_secret(site):
    """Where there is no file yet."""
    assert "ids [1] changed True lengths [64]" in site.run("begin")
    assert site.file.stat().st_mode & 0o777 == 0o600
    (only,) = _psk_file.read(site.file.read_text())
    assert only["id"] == 1


@pytest.mark.parametrize(("text", "wrong"), [
    ("aero_psk_secrets: []\nother: 5ec2e7\n", "must hold aero_psk_secrets and nothing else, as it is written anew"),
    ("- 5ec2e7\n", "must hold aero_psk_secrets and nothing else, as it is written anew"),
    ("aero_psk_secrets: [{id: 1, secret: !vault 5ec2e7}]\n",
     "is no plain YAML (encrypt the file as a whole, not single values)"),
    ("aero_psk_secrets: {5ec2e7\n", "is no plain YAML (encrypt the file as a whole, not single values)"),
    ("aero_psk_secrets: [{id: 1, secret: 5ec2e7}]\n", "aero_psk_secrets[0].secret = (not shown): not usable"),
])
def test_files_that_are_no_good(text, wrong):
    with pytest.raises(_psk_file.PskFileError) as error:
        _psk_file.read(text)
    assert str(error.value).startswith(wrong) and "5ec2e7" not in str(error.value)


def test_secrets_that_are_somewhere_else(site):
    """The next run would take the new one back."""
    site.write(FIRST)
    output = site.run("begin", "-e", f"file={site.folder}/elsewhere.yml")
    assert "elsewhere.yml: does not hold the aero_psk_secrets of the inventory: name the file that does" in output
    assert not (site.folder / "elsewhere.yml").exists()
    assert "5ec2e7" not in output
