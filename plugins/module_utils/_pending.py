# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was changed on a node and not yet taken up by its services.

A run may be cut off after the files are in place and before the services know: the tags wait on
the node, in ``/run`` because a reboot starts every service afresh anyway.
"""

from __future__ import annotations

import json
import os

PENDING = "/run/aero-pending.json"


def read(path: str) -> set[str]:
    """The tags waiting in the file ``path``; none if there is no (readable) file."""
    try:
        with open(path, encoding="utf-8") as file:
            return {str(tag) for tag in json.load(file)}
    except (OSError, ValueError, TypeError):
        return set()


def add(path: str, tags: set[str]) -> None:
    """Have ``tags`` wait, besides those that already do."""
    _write(path, read(path) | tags)


def clear(path: str, tags: set[str]) -> None:
    """``tags`` have been taken up; others go on waiting for the services that know them."""
    _write(path, read(path) - tags)


def _write(path: str, tags: set[str]) -> None:
    if tags:
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(sorted(tags), file)
        os.replace(path + ".new", path)
    elif os.path.exists(path):
        os.unlink(path)
