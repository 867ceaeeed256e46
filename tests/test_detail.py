"""Every model by itself, beside what the paper prints."""

from dataclasses import replace
from pathlib import Path

import pytest

from abd.config import Cell
from abd.report.cells import Figures, Measured
from abd.report.detail import make_detail
from abd.report.paper import read_paper

CELL = Cell("cifar10", "badnet_grid", "wrn-16-2", 0, "zskt", "wrn-16-1", 0, "none")
TEACHER = Figures(0.931, 1.0, 9000, 9000)
STUDENT = Figures(0.709, 0.95, 8550, 9000)


@pytest.fixture(scope="module")
def paper():
    return read_paper(Path(__file__).parents[1] / "reports" / "paper.yaml")


def _measured(figures=STUDENT, **changes):
    return Measured(replace(CELL, **changes), figures, TEACHER, None)


def test_a_model_stands_beside_its_figures(paper):
    detail = make_detail([_measured()], paper, "Table 1")
    assert detail.header() == [
        "trigger", "source", "model",
        "Acc", "paper", "diff.",
        "ASR", "95 % interval", "paper", "diff.",
    ]  # fmt: skip
    assert detail.rows() == [
        ["badnet_grid", "", "teacher", "93.1", "92.1", "+1.0", "100.0", "100.0–100.0", "99.9", "+0.1"],
        ["badnet_grid", "zskt", "no defense [1]", "70.9", "71.9", "−1.0", "95.0", "94.5–95.4", "96.9", "−1.9"],
    ]  # fmt: skip
    assert detail.notes == ("Table 4 prints 70.7 / 87.8",)


def test_the_experiments_own_item_comes_first(paper):
    detail = make_detail([_measured()], paper, "Table 4")
    assert detail.lines[1].acc_paper == "70.7"
    assert detail.lines[1].acc_difference == "+0.2"
    assert detail.notes == ("Table 1 prints 71.9 / 96.9",)


def test_what_the_paper_does_not_have_is_left_out(paper):
    detail = make_detail([_measured(dataset="digits")], paper, None)
    assert not detail.with_paper
    assert detail.header() == ["trigger", "source", "model", "Acc", "ASR", "95 % interval"]
    assert detail.rows()[1] == [
        "badnet_grid", "zskt", "no defense", "70.9", "95.0", "94.5–95.4",
    ]  # fmt: skip


def test_seeds_are_averaged_and_their_counts_pooled(paper):
    other = Figures(0.729, 0.97, 8730, 9000)
    detail = make_detail([_measured(), _measured(other, seed=1)], paper, "Table 1")
    line = detail.lines[1]
    assert (line.acc, line.acc_difference) == ("71.9 ± 1.4", "+0.0")
    assert (line.asr, line.asr_difference) == ("96.0 ± 1.4", "−0.9")
    assert line.interval == "95.7–96.3", "narrower than one seed's"


def test_students_follow_their_teacher(paper):
    cells = [
        _measured(source=source, trigger=trigger)
        for source in ("zskt", "clean")
        for trigger in ("badnet_grid", "blend")
    ]
    lines = make_detail(cells, paper, "Table 1").lines
    assert [line.keys for line in lines] == [
        (trigger, source)
        for trigger in ("badnet_grid", "blend")
        for source in ("", "zskt", "clean")
    ]
    assert [line.model == "teacher" for line in lines] == [True, False, False] * 2
