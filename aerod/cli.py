# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of ``aerod``: the daemon itself and its helpers."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import aerod
from aerod import aeroctl, config
from aerod.config_authentication import KeysError, read_keys

_CONFIG = "/etc/aero/aerod.toml"
_STATE_DIR = "/var/lib/aero"

_SYSLOG_LEVELS = {logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


def main(arguments: list[str]) -> int:
    """Run the program that the first argument names; returns its exit status."""
    programs = {"aerod": run_aerod, "aeroctl": aeroctl.main}
    if not arguments or arguments[0] not in programs:
        print("usage: aerod.pyz aerod|aeroctl ...", file=sys.stderr)
        return 2
    return programs[arguments[0]](arguments[1:])


def run_aerod(arguments: list[str]) -> int:
    """Run ``aerod``; returns 0, 1 for what the operator has to mend, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    try:
        checked = config.load(options.check or options.config)
        if options.check:
            _check_keys(checked, options)
        else:
            _run(checked, options)
    except (config.ConfigError, KeysError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"aerod: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aerod", description="The daemon of an AERO node.")
    parser.add_argument("--config", metavar="FILE", default=_CONFIG, help="default: %(default)s")
    state_dir = os.environ.get("STATE_DIRECTORY", _STATE_DIR)
    parser.add_argument("--state-dir", metavar="DIR", default=state_dir, help="default: %(default)s")
    parser.add_argument("--run-dir", metavar="DIR", default=aeroctl.RUN_DIR, help="default: %(default)s")
    parser.add_argument("--user", default="aero", help="with --prepare: the user aerod runs as")
    parser.add_argument("--version", action="version", version=f"aerod {aerod.__version__}")
    parser.add_argument("--keys", metavar="FILE", help="with --check: instead of the file of keys it names")
    parser.add_argument("--client-keys", metavar="FILE", help="with --check: the same for single Clients")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", metavar="FILE", help="check a configuration file and exit")
    mode.add_argument("--prepare", action="store_true", help="make the AERO interface, as root, and exit")
    mode.add_argument("--withdraw", action="store_true", help="undo all in the kernel, as root, and exit")
    mode.add_argument("--eun", action="store_true", help="serve the end user network of a Client")
    return parser


def _check_keys(checked: config.Config, options: argparse.Namespace) -> None:
    named = checked.authentication
    if named is not None:
        keys = Path(options.keys) if options.keys else named.keys
        singles = named.client_keys
        if singles is not None and options.client_keys:
            singles = Path(options.client_keys)
        read_keys(replace(named, keys=keys, client_keys=singles), checked.node.role)


def _run(checked: config.Config, options: argparse.Namespace) -> None:
    # Imported here, so that --check works where pyroute2 is not installed.
    run_dir = Path(options.run_dir)
    if options.prepare:
        from aerod.shell.prepare import prepare

        prepare(checked, options.user)
    elif options.withdraw:
        from aerod.shell.withdraw import withdraw

        withdraw()
    elif options.eun:
        from aerod.eun.service import EunService

        EunService(checked, run_dir).run()
    else:
        from aerod.shell.daemon import Daemon

        Daemon(checked, Path(options.state_dir), run_dir).run()


class _JournalFormatter(logging.Formatter):
    """Prefixes each line with its level, as sd-daemon(3) wants it."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        level = _SYSLOG_LEVELS.get(record.levelno, 6)
        return "\n".join(f"<{level}>{line}" for line in text.splitlines())


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    in_journal = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(_JournalFormatter() if in_journal else logging.Formatter("%(message)s"))
    logging.getLogger("pyroute2").setLevel(logging.ERROR)  # it misses files that the sandbox hides
    logging.basicConfig(level=logging.INFO, handlers=[handler])
