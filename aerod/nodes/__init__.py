# SPDX-License-Identifier: GPL-3.0-or-later
"""The node types of an AERO link."""
