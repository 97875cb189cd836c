# SPDX-License-Identifier: GPL-3.0-or-later
"""Where all parts of a node put what the shell has to carry out."""

from __future__ import annotations

from aerod.interface import Action, Datagram, Notice, Output, SaveState


class Outbox:
    """Collects datagrams, packets for the TUN and actions until they are taken."""

    __slots__ = ("datagrams", "packets", "actions", "_saving")

    def __init__(self) -> None:
        self.datagrams: list[Datagram] = []
        self.packets: list[bytes] = []
        self.actions: list[Action] = []
        self._saving: SaveState | None = None

    def take(self) -> Output:
        """Return all that was collected and start afresh."""
        saving = [self._saving] if self._saving else []
        output = Output(self.datagrams, self.packets, saving + self.actions)
        self.datagrams, self.packets, self.actions, self._saving = [], [], [], None
        return output

    def write(self, packet: bytes) -> None:
        """Give the network layer a packet."""
        self.packets.append(packet)

    def info(self, text: str) -> None:
        self.actions.append(Notice("info", text))

    def warning(self, text: str) -> None:
        self.actions.append(Notice("warning", text))

    def save(self, first: bool = False) -> None:
        """Ask for the saved state to be written, once for each time the output is taken."""
        if first or self._saving is None:
            self._saving = SaveState(first)
