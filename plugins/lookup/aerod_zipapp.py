# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The daemon aerod, packed into one file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aerod_zipapp
short_description: Pack the daemon aerod into one executable file
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Packs the Python package C(aerod) of this collection into a zip application for C(/usr/bin/python3).
  - The same sources give the same bytes on every controller, so an unchanged daemon is never deployed anew.
options:
  _terms:
    description: Nothing, or the directory of the package to pack instead of the collection's own.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show which version would be deployed
  ansible.builtin.debug:
    msg: "{{ lookup('aero.link.aerod_zipapp').name }}"
"""

RETURN = r"""
_raw:
  description: The packed daemon.
  type: list
  elements: dict
  contains:
    name:
      description: File name, C(aerod-<first 12 digits of the sha256>.pyz).
      type: str
    content_b64:
      description: The file, encoded in base64.
      type: str
    sha256:
      description: Hash of the file.
      type: str
"""

import base64
import functools
import hashlib
import io
import zipfile
from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

SOURCES = Path(__file__).resolve().parents[2] / "aerod"
SHEBANG = b"#!/usr/bin/python3\n"
# Times and permissions of files must not show, and compressors differ between versions of zlib.
EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(package: Path) -> bytes:
    """The zip application of a package that has a ``__main__.py``."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as bundle:
        for path in sorted(package.rglob("*")):
            name = path.relative_to(package.parent).as_posix()
            if path.is_file() and path.suffix != ".pyc" and "/." not in name:
                bundle.writestr(_entry(name), path.read_bytes())
        run = f"import runpy\nrunpy.run_module('{package.name}', run_name='__main__', alter_sys=True)\n"
        bundle.writestr(_entry("__main__.py"), run)
    return SHEBANG + archive.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


@functools.lru_cache(maxsize=4)
def bundle(package: Path) -> dict[str, str]:
    """What the lookup returns for one package."""
    if not (package / "__main__.py").is_file():
        raise AnsibleLookupError(f"{package} holds no program, there is no __main__.py")
    data = pack(package)
    digest = hashlib.sha256(data).hexdigest()
    return {
        "name": f"aerod-{digest[:12]}.pyz",
        "content_b64": base64.b64encode(data).decode(),
        "sha256": digest,
    }


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        return [bundle(Path(term)) for term in terms or [str(SOURCES)]]
