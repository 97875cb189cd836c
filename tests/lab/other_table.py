# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's inventory with another ACP table, which is the Servers' for a while."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.lab.door import ROOT, run_playbook


@contextmanager
def other_table(changed: Callable[[list[str]], list[str]]) -> Iterator[str]:
    """An inventory whose table has the ``changed`` lines; at the end the Servers get the lab's own again."""
    directory = ROOT / "inventories" / "lab_enrolled"
    shutil.copytree(ROOT / "inventories" / "lab", directory, dirs_exist_ok=True)
    table = directory / "group_vars" / "aero" / "acp_table.csv"
    table.write_text("\n".join([*changed(table.read_text().splitlines()), ""]))
    try:
        yield str(directory)
    finally:
        shutil.rmtree(directory)
        run_playbook("enroll")
