# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on the controller that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile


def replace(path: str, data: bytes, like: str | None = None) -> None:
    """Put ``data`` in the place of a file at once; through a link, of the file it leads to.

    :param like: the file whose owner and mode it gets, by default itself. Without such a file it is for the
        owner's eyes alone.
    :raises OSError: it cannot be written, and is as it was
    """
    path = os.path.realpath(path)
    descriptor, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                _dress(descriptor, os.stat(like or path))
            os.fsync(descriptor)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _dress(descriptor: int, like: os.stat_result) -> None:
    os.fchmod(descriptor, like.st_mode & 0o777)
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, like.st_uid, like.st_gid)
