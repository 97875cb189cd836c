# SPDX-License-Identifier: GPL-3.0-or-later
"""aerod, the daemon of an AERO node (draft-templin-aerolink-52)."""

__version__ = "0.1.0"
