# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab tests work on the lab that is up, and say so where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def lab_is_up() -> None:
    if os.geteuid() != 0:
        pytest.exit("the lab tests need root: run `sudo make test`", returncode=2)
    if not Path("/run/aero-lab").is_dir():
        pytest.exit("the lab is not up: run `make lab` first", returncode=2)
