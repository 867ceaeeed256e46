"""The paper's figures: the file in git, and which of them belong to which model."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml

from abd.config import Cell, load_params, load_plan, make_plan
from abd.config.cells import expand
from abd.config.study import PaperItem
from abd.errors import AbdError
from abd.report.paper import VACCINE_ALONE, Printed, read_paper

PARAMS = Path(__file__).parents[1] / "params.yaml"
FILE = PARAMS.parent / "reports" / "paper.yaml"
GRID = Cell("cifar10", "badnet_grid", "wrn-16-2", 0, "zskt", "wrn-16-1", 0, "none")


@pytest.fixture(scope="module")
def paper():
    return read_paper(FILE)


def test_a_model_finds_its_figures(paper):
    reference = paper.student(replace(GRID, trigger="blend", defense="abd"), "Table 1")
    assert reference.printed == Printed("Table 1", 0.715, 0.231)
    assert reference.also == ()
    assert reference.notes == []
    teacher = paper.teacher(replace(GRID, trigger="smooth"), None)
    assert (teacher.printed.acc, teacher.printed.asr) == (0.936, 0.923)


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "digits"},
        {"trigger": "nope"},
        {"teacher": "wrn-10-1"},
        {"source": "noise"},
        {"student": "wrn-10-1"},
        {"source": "clean", "defense": "abd"},
    ],
)
def test_another_model_has_none(paper, change):
    assert paper.student(replace(GRID, **change), "Table 1") is None


def test_a_data_set_may_stand_for_one_of_the_papers():
    """Its models have that one's figures; what it says about itself does not re-run it."""
    raw = load_params(PARAMS)
    raw["fetch"]["by_dataset"]["digits"]["stands_for"] = "cifar10"
    paper = read_paper(FILE, make_plan(raw))
    reference = paper.student(replace(GRID, dataset="digits"), "Table 1")
    assert (reference.printed.acc, reference.printed.asr) == (0.719, 0.969)
    assert paper.student(replace(GRID, dataset="gtsrb", source="ood"), None) is None


def test_seeds_do_not_tell_models_apart(paper):
    other = replace(GRID, seed=2, teacher_seed=1)
    assert paper.student(other, None) == paper.student(GRID, None)


def test_where_two_items_differ_both_are_kept(paper):
    """The grid's baseline, in Table 1 and in Table 4."""
    first, fourth = (paper.student(GRID, item) for item in ("Table 1", "Table 4"))
    assert (first.printed.acc, first.printed.asr) == (0.719, 0.969)
    assert first.notes == ["Table 4 prints 70.7 / 87.8"]
    assert (fourth.printed.acc, fourth.printed.asr) == (0.707, 0.878)
    assert fourth.notes == ["Table 1 prints 71.9 / 96.9"]
    assert paper.student(GRID, "Figure 2") == first, "without figures of its own"


def test_oddities_are_noted(paper):
    wm = replace(GRID, trigger="trojan_wm", teacher="wrn-40-2", defense="abd")
    (note,) = paper.student(wm, "Table 2").notes
    assert note == f"printed as WRN-16-2; the figures are a WRN-40-2's; {VACCINE_ALONE}"
    square = replace(GRID, trigger="badnet_sq")
    assert paper.teacher(square, "Table 3").notes == ["Table 1 prints 93.4 / 97.8"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": []}, "items: expected list should have at least 1 item"),
        ({"score_auc": {"item": "x", "value": 2}}, "score_auc.value: expected less than or equal to 1, got 2"),
        ({"bogus": 1}, "bogus: expected no such key, got 1"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named(tmp_path, change, message):
    path = tmp_path / "paper.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(FILE.read_text()), **change}))
    with pytest.raises(AbdError) as caught:
        read_paper(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "git checkout" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"teacher": [92.1]}, "items.0.rows.0.teacher.1: expected a value, got nothing"),
        ({"teacher": [0.9, 101]}, "items.0.rows.0.teacher.1: expected less than or equal"),
        ({"students": {"zskt": {"magic": [1, 2]}}}, "items.0.rows.0.students.zskt.magic: expected 'none'"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(tmp_path, row, message):
    contents = yaml.safe_load(FILE.read_text())
    contents["items"][0]["rows"][0].update(row)
    path = tmp_path / "paper.yaml"
    path.write_text(yaml.safe_dump(contents))
    with pytest.raises(AbdError) as caught:
        read_paper(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [None, "a: [", "[1]"])
def test_a_file_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "paper.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AbdError, match=r"paper\.yaml: .*expected.*git checkout"):
        read_paper(path)


def _cells(name):
    return expand(load_plan(PARAMS).top.experiments[name])


def test_an_experiment_may_reproduce_every_item():
    contents = yaml.safe_load(FILE.read_text())
    items = {part["item"] for part in [contents["score_auc"], *contents["items"]]}
    assert items < set(get_args(PaperItem))


def test_every_figure_belongs_to_the_experiment_that_reproduces_it():
    """What is printed of an item is what its experiment makes, no more and no less."""
    contents = yaml.safe_load(FILE.read_text())
    experiments = load_plan(PARAMS).top.experiments
    by_item = {e.reproduces: name for name, e in experiments.items() if e.reproduces}
    assert len(by_item) == 7
    for item in sorted({part["item"] for part in contents["items"]} - {"Figure 5"}):
        printed = {
            (
                part["dataset"],
                row["trigger"],
                part["teacher_net"],
                source,
                part["student_net"],
                defense,
            )
            for part in contents["items"]
            if part["item"] == item
            for row in part["rows"]
            for source, defenses in row["students"].items()
            for defense in defenses
        }
        made = {
            (c.dataset, c.trigger, c.teacher, c.source, c.student, c.defense)
            for c in _cells(by_item[item])
        }
        assert made == printed


@pytest.mark.parametrize(
    ("name", "dataset", "sources"),
    [("figure2", "cifar10", {"clean", "zskt", "cmi", "ood"}), ("gtsrb", "gtsrb", {"zskt"})],
)
def test_figures_without_numbers_have_ten_triggers(name, dataset, sources):
    cells = _cells(name)
    assert {(c.dataset, c.defense, c.student) for c in cells} == {
        (dataset, "none", "wrn-16-1")
    }
    assert {c.source for c in cells} == sources
    assert len(cells) == 10 * len(sources) * 3
    assert {c.trigger for c in cells} == {c.trigger for c in _cells("table1")}
