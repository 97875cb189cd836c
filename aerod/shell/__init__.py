# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything of aerod that touches sockets, the clock and the kernel."""
