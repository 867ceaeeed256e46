"""The figures that the paper prints, and which of them belong to a model of ours.

They stand in `reports/paper.yaml`, as printed. A figure belongs to the model with the
same data set, trigger, networks, source and defense, whatever its seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from abd.config import Cell, Plan
from abd.config.fields import Float, Section, Share
from abd.config.sections import Problems, validate
from abd.config.study import Defense
from abd.errors import AbdError

VACCINE_ALONE = "the paper's ABD is the vaccine alone here"

Percent = Annotated[Float, Field(ge=0, le=100)]
Pair = tuple[Percent, Percent]
Key = tuple[str, ...]


class Row(Section):
    """What an item prints of one trigger: Acc and ASR in percent."""

    trigger: str
    teacher: Pair | None = None
    students: Annotated[dict[str, dict[Defense, Pair]], Field(default_factory=dict)]
    sv_only: bool = False
    note: str | None = None


class Item(Section):
    """A table or figure of the paper, or a part of it."""

    item: str
    dataset: str
    teacher_net: str
    student_net: str
    rows: Annotated[list[Row], Field(min_length=1)]


class ScoreAuc(Section):
    """The area under the ROC of the score."""

    item: str
    value: Share


class Contents(Section):
    """The file as a whole."""

    score_auc: ScoreAuc
    items: Annotated[list[Item], Field(min_length=1)]


@dataclass(frozen=True)
class Printed:
    """What one item prints of one model, as fractions; `note`: what is odd about it."""

    item: str
    acc: float
    asr: float
    note: str = ""

    @property
    def text(self) -> str:
        """Item and figures, in percent."""
        return f"{self.item} prints {100 * self.acc:.1f} / {100 * self.asr:.1f}"


@dataclass(frozen=True)
class Reference:
    """The figures to compare a model with; `also`: where the paper prints others."""

    printed: Printed
    also: tuple[Printed, ...]

    @property
    def notes(self) -> list[str]:
        """What a reader must know of these figures."""
        own = [self.printed.note] if self.printed.note else []
        return own + [other.text for other in self.also]


class Paper:
    """What the paper prints, by model.

    `stand_ins`: by data set of ours, the one of the paper that it stands for.
    """

    def __init__(self, contents: Contents, stand_ins: Mapping[str, str]) -> None:
        self.score_auc = contents.score_auc
        self._stand_ins = stand_ins
        self._printed: dict[Key, list[Printed]] = {}
        for key, printed in _models(contents):
            self._printed.setdefault(key, []).append(printed)

    def teacher(self, cell: Cell, item: str | None) -> Reference | None:
        """The figures of a cell's teacher: of `item` where it has some, else the first."""
        return self._reference(self._teacher_key(cell), item)

    def student(self, cell: Cell, item: str | None) -> Reference | None:
        """The figures of a cell's student: of `item` where it has some, else the first."""
        key = (*self._teacher_key(cell), cell.source, cell.student, cell.defense)
        return self._reference(key, item)

    def _teacher_key(self, cell: Cell) -> Key:
        dataset = self._stand_ins.get(cell.dataset, cell.dataset)
        return dataset, cell.trigger, cell.teacher

    def _reference(self, key: Key, item: str | None) -> Reference | None:
        printed = self._printed.get(key)
        if not printed:
            return None
        own = next((p for p in printed if p.item == item), printed[0])
        others = {(p.acc, p.asr): p for p in reversed(printed)}
        del others[own.acc, own.asr]
        return Reference(own, tuple(reversed(others.values())))


def _models(contents: Contents) -> Iterator[tuple[Key, Printed]]:
    for item in contents.items:
        for row in item.rows:
            key = (item.dataset, row.trigger, item.teacher_net)
            note = row.note or ""
            if row.teacher is not None:
                yield key, _printed(item.item, row.teacher, note)
            for source, defenses in row.students.items():
                for defense, pair in defenses.items():
                    alone = row.sv_only and defense == "abd"
                    notes = [n for n in (note, alone and VACCINE_ALONE) if n]
                    printed = _printed(item.item, pair, "; ".join(notes))
                    yield (*key, source, item.student_net, defense), printed


def _printed(item: str, pair: Pair, note: str) -> Printed:
    acc, asr = (round(percent / 100, 6) for percent in pair)
    return Printed(item, acc, asr, note)


def read_paper(path: Path, plan: Plan | None = None) -> Paper:
    """Read the paper's figures; AbdError naming all that is wrong with the file.

    Data sets of `plan` that stand for one of the paper's find that one's figures.
    """
    remake = f"bring it back with: git checkout -- {path}"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        got = " ".join(str(error).split())
        raise AbdError(
            f"{path}: expected the paper's figures, got {got}; {remake}"
        ) from None
    problems = Problems()
    contents = validate(Contents, raw, problems)
    if contents is None:
        raise AbdError(f"{path}: {'; '.join(problems.lines)}; {remake}")
    settings = plan.settings if plan else {}
    stands_for = {name: own.fetch.stands_for for name, own in settings.items()}
    return Paper(contents, {name: of for name, of in stands_for.items() if of})
