# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements, the tests that are named after them, and the table of results."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_TEST_NAME = re.compile(r"\btest_aero_(\d{3})(?:_|\b)")
_LEFT_OUT = "left out: "
_ORDER = ("failed", "skipped", "passed")
_REASON = re.compile(r"[;,]? *left out: .*")
PAGE = _HERE.parents[1] / "docs" / "conformance.md"

INTRODUCTION = """\
# What aerod conforms to

Requirements of draft-templin-aerolink-52 (§: its sections) and of texts it builds on, with our own choices (O: see [decisions](decisions.md)) where it leaves
something open. Each is tested by real packets from outside, in `tests/conformance`; `make conformance` runs all of it and writes this page.

Nodes: C Client, S Server, R Relay, A any of them, D names. Levels: MUST, SHOULD, MAY as in the source; MUST\\*: stated there as a plain fact; OURS: our choice.
Clock: where a test would have to wait for minutes, the clocks of its nodes run so many times as fast.
"""


@dataclass(frozen=True)
class Requirement:
    """A line of requirements.csv; ``note`` is its source, or ``left out: `` and the reason."""

    id: str
    node: str
    level: str
    text: str
    note: str

    @property
    def number(self) -> int:
        return int(self.id[-3:])

    @property
    def source(self) -> str:
        """Where it stands."""
        return _REASON.sub("", self.note)

    @property
    def reason(self) -> str:
        """Why there is no test; empty if there has to be one."""
        return self.note.partition(_LEFT_OUT)[2]

    @property
    def markers(self) -> list[str]:
        """The pytest markers of its tests: level and nodes, in lower case."""
        level = self.level.rstrip("*").replace(" ", "_").lower()
        return [level, *(f"node_{node.lower()}" for node in self.node.split(","))]


def load() -> dict[int, Requirement]:
    """All requirements in scope, by number."""
    with (_HERE / "requirements.csv").open(newline="") as file:
        found = [Requirement(**row) for row in csv.DictReader(file)]
    return {requirement.number: requirement for requirement in found}


def number_of(test_name: str) -> int | None:
    """The number in the name of a test or in its node ID."""
    found = _TEST_NAME.search(test_name)
    return int(found[1]) if found else None


def numbers_with_test() -> set[int]:
    """The numbers that have a test, run or not."""
    return {
        int(number)
        for path in _HERE.glob("test_*.py")
        for number in re.findall(r"^\s*def test_aero_(\d{3})_", path.read_text(), re.MULTILINE)
    }


class Results:
    """What became of each requirement: the worst of its tests, and the time scales they ran."""

    def __init__(self) -> None:
        self.requirements = load()
        self._outcomes: dict[int, str] = {}
        self._scales: dict[int, set[float]] = {}

    def note(self, node_id: str, outcome: str, scales: Iterable[float] = ()) -> None:
        """Take the outcome of one test."""
        number = number_of(node_id)
        if number is not None:
            both = {outcome, self._outcomes.get(number, "passed")}
            self._outcomes[number] = next(o for o in _ORDER if o in both)
            self._scales.setdefault(number, set()).update(scales)

    def rows(self) -> list[tuple[Requirement, str]]:
        """Each requirement with its result."""
        with_test = numbers_with_test()
        return [
            (requirement, self._outcomes.get(number) or self._without(requirement, number in with_test))
            for number, requirement in sorted(self.requirements.items())
        ]

    @staticmethod
    def _without(requirement: Requirement, has_test: bool) -> str:
        if has_test:
            return "not run"
        return "left out" if requirement.reason else "no test"

    def text(self) -> str:
        """The table for a terminal: what was run, and how many of each result there are."""
        lines = [f"{r.id}  {r.level:10}  {result:7}  {self._clock(r)}".rstrip() for r, result in self.rows()
                 if r.number in self._outcomes]  # fmt: skip
        return "\n".join([*lines, "", *self._without_test(), "", self._sum()])

    def _clock(self, requirement: Requirement) -> str:
        return ", ".join(f"×{scale:g}" for scale in sorted(self._scales.get(requirement.number, ())))

    def _without_test(self) -> list[str]:
        """What is not tested, and why."""
        return [f"{r.id}  left out: {r.reason}" for r in self.requirements.values() if r.reason]

    @property
    def complete(self) -> bool:
        """Whether all tests ran."""
        return all(result != "not run" for _requirement, result in self.rows())

    def _sum(self) -> str:
        results = [result for _requirement, result in self.rows()]
        counts = {result: results.count(result) for result in dict.fromkeys(sorted(results))}
        return ", ".join(f"{count} {result}" for result, count in counts.items())

    def markdown(self) -> str:
        """The page docs/conformance.md."""
        lines = [INTRODUCTION, self._sum() + ".\n", *(f"* {line}" for line in self._without_test()), ""]
        lines += ["| number | node | level | requirement | source | clock | result |", "|---|---|---|---|---|---|---|"]
        lines += [f"{described(r)} {self._clock(r)} | {result} |" for r, result in self.rows()]
        return "\n".join(lines) + "\n"


def described(r: Requirement) -> str:
    """The part of a line of the page that does not depend on a run."""
    cells = (r.id, r.node, r.level.replace("*", "\\*"), _cell(r.text), _cell(r.source))
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
