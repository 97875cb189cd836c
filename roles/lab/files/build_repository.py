# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: build_repository.py [--check] CACHE PACKAGE...

Make CACHE/repository an apt repository with PACKAGE... and all they need beyond what CACHE/image.tar
has.  Prints a line when there was something to do.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

# apt refuses a repository whose fields changed since it last saw it: never add or change one.
RELEASE = """\
Origin: aero-lab
Label: aero-lab
Suite: lab
Date: Sat, 10 Jun 2023 00:00:00 UTC
Architectures: {architecture} all
SHA256:
"""


def _run(*command: str, **options: object) -> bytes:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def download(cache: Path, packages: list[str]) -> Path:
    """Fetch the packages as apt in the image would; return the directory they are in."""
    work = cache / "apt"
    archives = work / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    for directory in (work / "lists" / "partial", archives / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    (work / "status").write_bytes(_run("tar", "-xOf", str(cache / "image.tar"), "./var/lib/dpkg/status"))
    options = {
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": archives,
        "Dir::Etc::sourcelist": cache / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    _run(*apt, "update")
    _run(*apt, "--yes", "--download-only", "install", *packages)
    return archives


def index(repository: Path) -> None:
    """Write Packages and Release; without its hash apt would not take Packages."""
    packages = _run("dpkg-scanpackages", "--multiversion", ".", cwd=repository, stderr=subprocess.DEVNULL)
    (repository / "Packages").write_bytes(packages)
    architecture = _run("dpkg", "--print-architecture", text=True).strip()
    line = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n"
    (repository / "Release").write_text(RELEASE.format(architecture=architecture) + line)


def build(cache: Path, packages: list[str]) -> None:
    """Replace the files of the repository; nodes that have it mounted see the new ones."""
    repository = cache / "repository"
    archives = download(cache, packages)
    repository.mkdir(exist_ok=True)
    for old in repository.iterdir():
        old.unlink()
    for package in archives.glob("*.deb"):
        package.rename(repository / package.name)
    index(repository)


def main() -> None:
    """Build the repository unless it is made from the same image, sources and packages."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    if len(arguments) < 2:
        raise SystemExit(__doc__)
    cache, packages = Path(arguments[0]), sorted(arguments[1:])
    made_from = cache / "repository.made-from"
    wanted = "\n".join([_read(cache / "image.name"), _read(cache / "sources.list"), *packages])
    if _read(made_from) == wanted:
        return
    print(f"build {cache / 'repository'}")
    if "--check" not in sys.argv:
        made_from.unlink(missing_ok=True)
        build(cache, packages)
        made_from.write_text(wanted)


if __name__ == "__main__":
    main()
