# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the example inventory, and playbooks run on it as people run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from ansible_collections.aero.link.plugins.module_utils import _model

COLLECTION = Path(_model.__file__).parents[2]
EXAMPLE = COLLECTION / "inventories" / "example"
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


SECRETS = {
    "aero_bgp_password": "bgp-secret",
    "aero_dns_tsig_secret": "dHNpZy1zZWNyZXQ=",
    "aero_psk_secrets": [{"id": 1, "secret": "5ec2e7" * 16}],
}


class Inventory:
    """A copy of the example inventory with secrets of its own, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "inventory"
        shutil.copytree(EXAMPLE, self.folder)
        self.secrets = self.folder / "group_vars" / "aero" / "secrets.yml"
        example = self.secrets.with_name("secrets.yml.example").rename(self.secrets)
        example.write_text(yaml.safe_dump(yaml.safe_load(example.read_text()) | SECRETS))
        (folder / "ansible.cfg").touch()

    def group(self, group: str, **values) -> None:
        path = self.folder / "group_vars" / group
        path.mkdir(exist_ok=True)
        (path / "z_spoilt.yml").write_text(yaml.safe_dump(values))

    def host(self, host: str, **values) -> None:
        path = self.folder / "host_vars" / f"{host}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(values))

    def run(self, *arguments: str, playbook: str = "aero.link.validate") -> tuple[int, str]:
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2]),
            "ANSIBLE_CONFIG": str(self.folder.parent / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder.parent / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            [PLAYBOOK, "-i", self.folder, playbook, *arguments],
            env=environment, cwd=self.folder.parent, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def mistakes(self, *arguments: str) -> list[str]:
        """The lines of the one message."""
        code, output = self.run(*arguments)
        assert code != 0, output
        message = output.partition("nothing was contacted:\n")[2].partition("\nOrigin:")[0]
        return message.splitlines()
