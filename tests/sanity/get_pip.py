# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-test downloads to put pip into its virtual environments, for hosts that reach only a package index.

ansible-test calls ``get_pip_<version>.py ARGS PACKAGES``; the wheel of that pip lies beside this file
(tests/sanity/run fetches it) and installs what was asked for.
"""

import glob
import os
import sys

sys.path.insert(0, glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-*.whl"))[0])

from pip._internal.cli.main import main  # noqa: E402 - only importable after the line above

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--force-reinstall", *arguments]))
