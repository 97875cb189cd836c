# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files, directories and links of a node: what is there, what is wanted, and the way between.

The module :mod:`node_files` is the only user; nothing here knows Ansible.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import grp
import hashlib
import os
import pwd
import re
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

SECRET = "(secret)"
CHANGED_SECRET = "(changed secret)\n"
NOT_FOUND = 127  # exit status of a shell for a command that does not exist


class FilesError(Exception):
    """The wanted state cannot be reached; the text says which file and why."""


@dataclass
class Entry:
    """One element of the option ``files``, with ``data`` the bytes of a file."""

    path: str
    state: str
    data: bytes | None
    target: str | None
    mode: int
    owner: str
    group: str
    if_contains: str | None
    validate: str | None
    keep_predecessor: str | None
    on_change: list[str]
    secret: bool
    mask: str | None
    binary: bool

    @classmethod
    def from_option(cls, option: dict) -> Entry:
        """Check one element of the option ``files``; raises FilesError."""
        path, state = option["path"], option["state"]
        data = None
        if state == "file":
            data = _data(option)
        if state == "link" and not option["target"]:
            raise FilesError(f"{path}: a link needs a target")
        default = "0755" if state == "directory" else "0644"
        try:
            mode = int(option["mode"] or default, 8)
        except ValueError:
            raise FilesError(f"{path}: mode {option['mode']!r} is not an octal number like 0644") from None
        return cls(
            path=path, state=state, data=data, target=option["target"], mode=mode, owner=option["owner"],
            group=option["group"], if_contains=option["if_contains"], validate=option["validate"],
            keep_predecessor=option["keep_predecessor"], on_change=option["on_change"],
            secret=option["secret_content"] is not None, mask=option["mask"],
            binary=option["content_b64"] is not None,
        )  # fmt: skip


def _data(option: dict) -> bytes:
    given = [key for key in ("content", "secret_content", "content_b64") if option[key] is not None]
    if len(given) != 1:
        needed = "exactly one of content, secret_content, content_b64"
        raise FilesError(f"{option['path']}: a file needs {needed}")
    if given == ["content_b64"]:
        try:
            return base64.b64decode(option["content_b64"], validate=True)
        except binascii.Error as error:
            raise FilesError(f"{option['path']}: content_b64 is not base64: {error}") from error
    return option[given[0]].encode()


# ---- what is there


def _kind(path: str) -> str:
    if os.path.islink(path):
        return "link"
    if os.path.isdir(path):
        return "directory"
    return "file" if os.path.exists(path) else "absent"


def _read(path: str) -> bytes | None:
    if _kind(path) != "file":
        return None
    with open(path, "rb") as file:
        return file.read()


def _attributes(path: str) -> dict[str, str]:
    status = os.lstat(path)
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    return {"owner": _user(status.st_uid), "group": _group(status.st_gid), "mode": mode}


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def content_differs(entry: Entry) -> bool:
    """Whether the entry is missing, of another kind, or has other content or another target."""
    kind = _kind(entry.path)
    if entry.state == "link":
        return kind != "link" or os.readlink(entry.path) != entry.target
    if entry.state == "file":
        return _read(entry.path) != entry.data
    if entry.state == "absent" and entry.if_contains:
        return entry.if_contains.encode() in (_read(entry.path) or b"")
    return kind != entry.state


def attributes_differ(entry: Entry) -> bool:
    """Whether a file or directory that is there has another owner, group or mode."""
    if entry.state not in ("file", "directory") or _kind(entry.path) != entry.state:
        return False
    return _attributes(entry.path) != _wanted_attributes(entry)


def _wanted_attributes(entry: Entry) -> dict[str, str]:
    return {"owner": entry.owner, "group": entry.group, "mode": f"{entry.mode:04o}"}


def refuse_impossible(entry: Entry, check_mode: bool) -> None:
    """Raise FilesError where a directory would have to give way to a file, or the reverse, and
    where there is no such owner (who may come with a package that check mode does not install)."""
    kind = _kind(entry.path)
    if kind == "directory" and entry.state in ("file", "link"):
        raise FilesError(f"{entry.path}: is a directory, wanted is a {entry.state}")
    if kind in ("file", "link") and entry.state == "directory":
        raise FilesError(f"{entry.path}: is a {kind}, wanted is a directory")
    if entry.state in ("file", "directory") and not check_mode:
        _known(entry.path, "user", entry.owner, pwd.getpwnam)
        _known(entry.path, "group", entry.group, grp.getgrnam)


def _known(path: str, kind: str, name: str, find: Callable[[str], object]) -> None:
    try:
        find(name)
    except KeyError:
        raise FilesError(f"{path}: there is no {kind} '{name}'") from None


# ---- differences to show


def differences(entry: Entry) -> list[dict[str, str]]:
    """What Ansible shows with ``--diff``."""
    shown = []
    if content_differs(entry):
        before, after = _shown_now(entry), _shown_wanted(entry)
        shown.append(_diff(entry.path, before, after + CHANGED_SECRET if before == after else after))
    if attributes_differ(entry):
        now, wanted = _attributes(entry.path), _wanted_attributes(entry)
        shown.append(_diff(f"{entry.path} (attributes)", _lines(now), _lines(wanted)))
    return shown


def _diff(header: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _lines(attributes: dict[str, str]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in attributes.items())


def _shown_now(entry: Entry) -> str:
    kind = _kind(entry.path)
    if kind == "file":
        return _shown(_read(entry.path) or b"", entry)
    if kind == "link":
        return f"link to {os.readlink(entry.path)}\n"
    return "" if kind == "absent" else "directory\n"


def _shown_wanted(entry: Entry) -> str:
    if entry.state == "file":
        return _shown(entry.data or b"", entry)
    if entry.state == "link":
        return f"link to {entry.target}\n"
    return "" if entry.state == "absent" else "directory\n"


def _shown(data: bytes, entry: Entry) -> str:
    if entry.state == "absent":
        return f"({len(data)} bytes)\n"  # it may hold secrets, and nobody said whether
    if entry.secret:
        return re.sub(entry.mask, SECRET, data.decode(errors="replace")) if entry.mask else SECRET + "\n"
    if entry.binary:
        return f"({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})\n"
    return data.decode(errors="replace")


# ---- checking


class Copies:
    """Copies of new contents for checkers to read: beside the file if possible, since a mandatory
    access control profile (Kea's AppArmor profile, say) may allow its checker that place only."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}

    def __enter__(self) -> Copies:
        return self

    def __exit__(self, *_error: object) -> None:
        for path in self.paths.values():
            os.unlink(path)

    def of(self, entry: Entry) -> str:
        """The path of the copy of this entry's new content."""
        if entry.path not in self.paths:
            directory = os.path.dirname(entry.path)
            where = directory if os.path.isdir(directory) else None
            handle, path = tempfile.mkstemp(prefix=".aero-", dir=where)
            self.paths[entry.path] = path
            with os.fdopen(handle, "wb") as file:
                file.write(entry.data or b"")
        return self.paths[entry.path]


def run_checks(
    entries: list[Entry], run: Callable[[list[str]], tuple[int, str]], check_mode: bool
) -> list[str]:
    """Run the checkers of all new contents by ``run(words) -> (exit status, output)``.

    Returns notes on checkers that are not installed yet, which only check mode may find; raises
    FilesError with all complaints.
    """
    changing = {entry.path: entry for entry in entries if entry.state == "file" and content_differs(entry)}
    notes, complaints = [], []
    with Copies() as copies:
        for entry in changing.values():
            if entry.validate is None:
                continue
            copy = copies.of(entry)
            words = [
                copies.of(changing[word]) if word in changing else word.replace("%s", copy)
                for word in shlex.split(entry.validate)
            ]
            status, output = run(words)
            if status == NOT_FOUND and check_mode:
                notes.append(f"{entry.path}: not checked, '{entry.validate}' cannot run on this host yet")
            elif status != 0:
                output = output.strip().replace(copy, entry.path)
                complaints.append(f"{entry.path}: refused by '{entry.validate}': {output}")
    if complaints:
        raise FilesError("\n".join(complaints))
    return notes


# ---- changing


def apply(entry: Entry) -> None:
    """Bring one entry into the wanted state."""
    os.makedirs(os.path.dirname(entry.path), mode=0o755, exist_ok=True)
    if entry.state == "absent":
        _remove(entry.path)
    elif entry.state == "link":
        _switch_link(entry)
    elif entry.state == "directory":
        os.makedirs(entry.path, exist_ok=True)
        _set_attributes(entry.path, entry)
    elif content_differs(entry):
        _replace(entry)
    else:
        _set_attributes(entry.path, entry)


def _remove(path: str) -> None:
    if _kind(path) == "directory":
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _replace(entry: Entry) -> None:
    handle, new = tempfile.mkstemp(prefix=".aero-", dir=os.path.dirname(entry.path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(entry.data or b"")
            file.flush()
            os.fsync(file.fileno())
        _set_attributes(new, entry)
        os.replace(new, entry.path)
    except BaseException:
        os.unlink(new)
        raise


def _set_attributes(path: str, entry: Entry) -> None:
    shutil.chown(path, entry.owner, entry.group)
    os.chmod(path, entry.mode)


def _switch_link(entry: Entry) -> None:
    before = os.readlink(entry.path) if _kind(entry.path) == "link" else None
    new = os.path.join(os.path.dirname(entry.path), f".aero-{os.getpid()}")
    os.symlink(entry.target, new)
    os.replace(new, entry.path)
    if entry.keep_predecessor:
        _remove_old(os.path.dirname(entry.path), entry.keep_predecessor, {entry.target, before})


def _remove_old(directory: str, pattern: str, keep: set[str | None]) -> None:
    keep_names = {os.path.basename(target) for target in keep if target}
    for name in fnmatch.filter(os.listdir(directory), pattern):
        if name not in keep_names:
            os.unlink(os.path.join(directory, name))
