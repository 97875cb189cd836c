# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol procedures that node types are composed of."""
