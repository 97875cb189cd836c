# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 aerod.pyz aerod|aeroctl ...``: the entrance of the zipapp."""

from __future__ import annotations

import sys

from aerod.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
