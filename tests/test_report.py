"""Reports of hand-made results: what is grouped, named, averaged and drawn."""

import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from abd.cli import main
from abd.config import Cell, load_plan
from abd.config.paths import (
    decision_path,
    history_paths,
    metrics_path,
    score_path,
    teacher_metrics_path,
    vaccine_path,
)
from abd.errors import AbdError
from abd.history import Record
from abd.report import figures, rulegraph
from abd.report.cells import Results, measured
from abd.report.decision import Decision
from abd.report.diagnosis import diagnosis
from abd.report.groups import make_groups
from abd.report.lists import cell_lists
from abd.report.table import make_table, markdown
from abd.report.triggers import Example, contact_sheet, examples_of
from abd.storage.arrays import write_arrays
from abd.storage.files import write_json
from abd.storage.pictures import write_picture
from abd.storage.results import write_history

PARAMS = Path(__file__).parents[1] / "params.yaml"
PAPER = PARAMS.parent / "reports" / "paper.yaml"
CELL = Cell("digits", "badnet_sq", "wrn-16-2", 0, "ood", "wrn-16-1", 0, "none")


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results; the fixture writes those of cells and gives them back."""
    monkeypatch.chdir(tmp_path)

    def write(cells):
        for cell in cells:
            _write(cell)
        return measured(cells)

    return write


def _write(cell):
    counts = {"n_target": 360, "n_stamped": 360}
    write_json(Path(teacher_metrics_path(cell)), {"acc": 0.9, "asr": 1.0, **counts})
    acc = 0.5 + 0.1 * cell.seed
    counts = {"n_target": 90, "n_stamped": 360}
    write_json(Path(metrics_path(cell)), {"acc": acc, "asr": 0.25, **counts})
    for path in history_paths(cell):
        write_history(Path(path), [])
    points = [Record(step, {"acc": acc * step / 20, "asr": 1.0}) for step in (10, 20)]
    write_history(Path(history_paths(cell)[-1]), points)
    if cell.defense == "abd":
        trial = {"ratio": 0.01, "cut": -1.0}
        verdict = {"found": False, "trial": None, "threshold": 0.02, "trials": [trial]}
        write_json(Path(vaccine_path(cell)), verdict)
        scores = np.linspace(-2, 0, 50)[None]
        write_arrays(
            Path(vaccine_path(cell)).with_name("scores.npz"),
            scores=scores,
            weights=np.ones(50),
        )

        decision = {**FREE, "found": False, "outcome": "sr"}
        write_json(Path(decision_path(cell)), decision)
        folder = Path(score_path(cell)).parent
        verdict = {"auc": 0.75, "found": False, "trial": 0}
        write_json(folder / "score.json", verdict)
        ends = np.array([0.0, 1.0])
        write_arrays(folder / "roc.npz", fpr=ends, tpr=ends)
        write_arrays(folder / "scores.npz", clean=scores[0], stamped=scores[0] - 1)

    poison = Path(f"results/poison/{cell.dataset}/{cell.trigger}")
    manifest = {"n_poisoned": 1, "n_train": 10, "target_name": "0"}
    write_json(poison / "manifest.json", manifest)
    level = 20 * len(cell.trigger)
    images = np.full((2, 3, 16, 16, 3), level, np.uint8)
    images[0] = 0
    write_picture(poison / "preview.png", images)


def _panels(figure):
    return [ax for ax in figure.axes if ax.axison]


def _titles(figure):
    return [title for ax in _panels(figure) if (title := ax.get_title(loc="left"))]


def test_one_group_is_named_by_trigger_and_source(results):
    cells = results([CELL, replace(CELL, defense="abd")])
    table = make_table(cells)
    assert table.header() == [
        "trigger",
        "source",
        "teacher",
        "no defense",
        "ABD",
        "vaccine",
    ]
    assert table.lines() == [
        [
            "badnet_sq", "ood", "90.0 / 100.0", "50.0 / 25.0", "50.0 / 25.0",
            "none in 1 draws (best tail 1.0 %)",
        ],
    ]  # fmt: skip
    assert (
        table.common == "digits, teacher wrn-16-2, teacher seed 0, student wrn-16-1, 1 seed"
    )
    assert _titles(figures.curves(cells)) == ["badnet_sq, ood"]
    assert _titles(figures.scores(cells)) == ["badnet_sq, ood, seed 0: draw 1"]


def test_what_varies_is_named_and_what_does_not_is_said_once(results):
    """Two data sets and two students: four groups, whose numbers are never mixed."""
    cells = results(
        [
            replace(CELL, dataset=dataset, student=student, defense=defense)
            for dataset, student, defense in product(
                ("digits", "gtsrb"), ("wrn-16-1", "wrn-10-1"), ("none", "abd")
            )
        ]
    )
    table = make_table(cells)
    assert table.keys == ("data set", "trigger", "source", "student net")
    assert [row.keys for row in table.rows] == [
        ("digits", "badnet_sq", "ood", "wrn-16-1"),
        ("digits", "badnet_sq", "ood", "wrn-10-1"),
        ("gtsrb", "badnet_sq", "ood", "wrn-16-1"),
        ("gtsrb", "badnet_sq", "ood", "wrn-10-1"),
    ]
    assert table.common == "teacher wrn-16-2, teacher seed 0, 1 seed"
    names = [
        "digits, student wrn-16-1",
        "digits, student wrn-10-1",
        "gtsrb, student wrn-16-1",
        "gtsrb, student wrn-10-1",
    ]
    assert _titles(figures.curves(cells)) == names
    assert _titles(figures.scores(cells)) == [f"{name}, seed 0: draw 1" for name in names]
    assert len(_panels(figures.curves(cells))) == 2 * len(names)


@pytest.mark.parametrize(
    ("part", "other", "name"),
    [
        ("dataset", "gtsrb", "gtsrb"),
        ("trigger", "badnet_grid", "badnet_grid"),
        ("teacher", "wrn-10-1", "teacher wrn-10-1"),
        ("teacher_seed", 1, "teacher seed 1"),
        ("source", "clean", "clean"),
        ("student", "wrn-10-1", "student wrn-10-1"),
    ],
)
def test_every_part_makes_a_group(results, part, other, name):
    groups = make_groups(results([CELL, replace(CELL, **{part: other})]))
    assert [g.name for g in groups][1] == name
    assert [len(g.members) for g in groups] == [1, 1]


def test_the_score_is_drawn_per_group_with_its_auc(results):
    cells = results([replace(CELL, defense="abd", seed=seed) for seed in (0, 1)])
    roc, histogram = _panels(diagnosis(cells))
    assert roc.get_title(loc="left") == "badnet_sq, ood"
    assert [text.get_text() for text in roc.get_legend().get_texts()] == [
        f"seed {seed}: AUC 0.750, no vaccine" for seed in (0, 1)
    ]
    assert len(histogram.patches) == 3
    assert diagnosis(results([CELL])) is None


def test_several_seeds_give_mean_and_deviation(results):
    cells = results([replace(CELL, seed=seed) for seed in (0, 1, 2)])
    table = make_table(cells)
    assert table.rows[0].students == ("60.0 ± 10.0 / 25.0 ± 0.0",)
    assert table.common.endswith("3 seeds")
    assert "60.0 ± 10.0 / 25.0 ± 0.0" in markdown(table.header(), table.lines())

    asr, acc = _panels(figures.curves(cells))
    (line,) = acc.lines
    assert line.get_xdata().tolist() == [10, 20]
    assert line.get_ydata() == pytest.approx([30, 60])
    (band,) = acc.collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((25, 70))
    assert len(asr.lines) == 1


KEPT = {"rule": "paper", "found": True, "outcome": "sv", "drop": 0.07,
        "acc_plain": 0.9, "acc_vaccinated": 0.83, "n_labelled": 100}  # fmt: skip
UNMEASURED = dict.fromkeys(("drop", "acc_plain", "acc_vaccinated", "n_labelled"))
FREE = {**KEPT, **UNMEASURED, "rule": "data_free"}


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (KEPT, "costs 7.0 points of Acc: kept"),
        ({**KEPT, "outcome": "sv_sr", "drop": -0.011}, "costs -1.1 points of Acc: SR too"),
        ({**KEPT, "outcome": "sr", "drop": 0.2}, "costs 20.0 points of Acc: restarted without it"),
        ({**FREE, "outcome": "sv_sr"}, "SR too"),
        (FREE, ""),
        ({**FREE, "found": False, "outcome": "sr"}, ""),
    ],
)  # fmt: skip
def test_what_became_of_a_vaccine_is_told(decision, text):
    assert Decision(**decision).text == text


def test_decisions_are_read(results):
    cells = [replace(CELL, defense="abd", seed=seed) for seed in (0, 1, 2)]
    results(cells)
    for cell, outcome in zip(cells, ("sv", "sr", "sr"), strict=True):
        decision = {**KEPT, "outcome": outcome}
        write_json(Path(decision_path(cell)), decision)
        verdict = {
            "found": True,
            "trial": 0,
            "threshold": 0.02,
            "trials": [{"ratio": 0.03}],
        }
        write_json(Path(vaccine_path(cell)), verdict)
    (first, *_) = read = measured(cells)
    record = first.record("x", None)
    assert record["decision"] == KEPT
    assert record["vaccine"] == {
        "found": True, "trial": 0, "threshold": 0.02, "ratios": [0.03], "auc": 0.75
    }  # fmt: skip
    assert make_table([first]).rows[0].vaccine == (
        "found in draw 1 (tail 3.0 %); costs 7.0 points of Acc: kept"
    )
    assert make_table(read).rows[0].vaccine == (
        "found for 3 of 3 seeds, restarted without it for 2"
    )
    write_json(Path(decision_path(cell)), {})
    with pytest.raises(AbdError, match=r"decision\.json: damaged .* make it anew with"):
        measured(cells)


def test_seeds_are_counted_where_they_differ(results):
    cells = [CELL, replace(CELL, seed=1), replace(CELL, source="clean")]
    table = make_table(results([*cells, replace(CELL, defense="sv")]))
    assert table.keys == ("trigger", "source", "seeds")
    assert [row.keys[-1] for row in table.rows] == ["1-2", "1"]
    assert table.rows[0].name == "badnet_sq, ood, 1-2 seeds"
    assert "seed" not in table.common.replace("teacher seed", "")


def test_curves_have_the_points_that_all_seeds_have(results):
    cells = results([CELL, replace(CELL, seed=1)])
    path = Path(history_paths(CELL)[-1])
    write_history(path, [Record(step, {"acc": 0.1}) for step in (5, 10)])
    _, acc = _panels(figures.curves(cells))
    assert acc.lines[0].get_xdata().tolist() == [10]


def test_the_rule_graph_leads_edges_around_the_rules_between():
    """a -> b -> c -> d with two that go past b and c: each layer gives way."""
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("e", "d"), ("a", "c")]
    rows, short = rulegraph.layers("abcde", edges)
    level = {node: y for y, row in enumerate(rows) for node in row}
    assert [level[node] for node in "abcd"] == [0, 1, 2, 3]
    assert level["e"] == 2, "as late as can be"
    assert all(level[end] == level[start] + 1 for start, end in short)
    assert sum(map(len, rows)) == len(level) == 5 + 3, "a to d passes b and c, a to c b"
    ends = dict(edge for edge in short if edge[0] not in "abcde")
    for start, end in edges:
        nodes = [b for a, b in short if a == start]
        assert end in [_end(node, ends) for node in nodes]


def _end(node, ends):
    return _end(ends[node], ends) if node in ends else node


KEY = "digits/badnet_sq/wrn-16-2-t0"
REPORT = ["report", "--page", "p.html", "--table", "p.md", "--figures", "figures"]
DAMAGED = [
    f"results/evaluate/{KEY}/teacher/metrics.json",
    f"results/evaluate/{KEY}/ood/wrn-16-1-s0/sr/metrics.json",
    f"results/vaccine/{KEY}/ood/wrn-16-1-s0/vaccine.json",
    f"results/vaccine/{KEY}/ood/wrn-16-1-s0/scores.npz",
    f"results/retrospect/{KEY}/ood/wrn-16-1-s0/sr/history.jsonl",
    f"results/score/{KEY}/ood/wrn-16-1-s0/score.json",
    f"results/score/{KEY}/ood/wrn-16-1-s0/roc.npz",
    f"results/score/{KEY}/ood/wrn-16-1-s0/scores.npz",
    "results/poison/digits/badnet_sq/manifest.json",
    "graph.dot",
]


@pytest.fixture
def report(results, capsys):
    """Runs a command of abd on the demo's results; gives its status and its error."""
    results(load_plan(PARAMS).wanted("demo"))
    dot = 'digraph g {\n0[label = "demo"\n1[label = "report"\n1 -> 0\n}\n'
    Path("graph.dot").write_text(dot)

    def run(*arguments):
        paper = [] if "--paper" in arguments else ["--paper", str(PAPER)]
        status = main([*arguments, "--params", str(PARAMS), *paper])
        return status, capsys.readouterr().err

    return run


def _is_one_line(error, *parts):
    assert error.count("\n") == 1
    assert error.startswith("abd: error: ")
    for part in parts:
        assert part in error


def test_a_report_is_written(report):
    done = report(*REPORT, "--experiment", "demo", "--rulegraph", "graph.dot")
    assert done == (0, "")
    assert "student wrn-16-1" in Path("p.html").read_text()
    pictures = {path.name for path in Path("figures").iterdir()}
    assert "preview_digits_badnet_sq.png" in pictures
    drawn = ("triggers", "curves", "scores", "diagnosis", "rulegraph")
    assert {f"{name}.png" for name in drawn} < pictures
    shown = re.findall(r"\]\(([^)]+\.png)\)", Path("p.md").read_text())
    assert {Path(name).name for name in shown} == pictures
    assert all(Path(name).is_file() for name in shown)


def test_a_folder_for_the_figures_keeps_what_is_in_it(report):
    Path("figures").mkdir()
    Path("figures/holiday.jpg").write_text("mine")
    assert report(*REPORT, "--experiment", "demo") == (0, "")
    assert Path("figures/holiday.jpg").read_text() == "mine"


def test_the_summary_has_counts_and_the_papers_figures(report, tmp_path):
    assert report("summary", "--out", "s.json") == (0, "")
    record = json.loads(Path("s.json").read_text())[0]
    assert (record["n_target"], record["n_stamped"]) == (90, 360)
    assert record["paper_acc"] is record["paper_asr"] is record["paper_item"] is None
    assert record["paper_also"] == []

    paper = {"none": [60, 20.1], "abd": [1, 2]}
    item = {
        "item": "Table 9",
        "dataset": "digits",
        "teacher_net": "wrn-16-2",
        "student_net": "wrn-16-1",
        "rows": [{"trigger": "badnet_sq", "students": {"ood": paper}}],
    }
    contents = {"score_auc": {"item": "Figure 9", "value": 0.9}, "items": [item]}
    Path("paper.yaml").write_text(json.dumps(contents))
    report("summary", "--out", "s.json", "--paper", "paper.yaml")
    record = json.loads(Path("s.json").read_text())[0]
    assert (record["defense"], record["paper_item"]) == ("none", "Table 9")
    assert (record["paper_acc"], record["paper_asr"]) == (0.6, 0.201)


@pytest.mark.parametrize("command", [[*REPORT, "--experiment", "nope"], ["show", "nope"]])
def test_an_unknown_experiment_is_named(report, command):
    status, error = report(*command)
    assert status == 1
    _is_one_line(error, "expected one of demo, digits, ")


@pytest.mark.parametrize(
    "command",
    [[*REPORT, "--experiment", "digits"], ["summary", "--out", "s.json"], ["show"]],
)
def test_before_a_run_the_run_is_named(report, command):
    name = "digits" if "digits" in command else "demo"
    for path in Path("results/evaluate").rglob("metrics.json"):
        path.unlink()
    status, error = report(*command)
    assert status == 1
    _is_one_line(error, "got no file", f"make it with: snakemake -c2 {name}")
    assert report("show", "--finished") == (0, ""), "what has not run is passed over"


@pytest.mark.parametrize("path", [Path(name) for name in DAMAGED])
def test_a_truncated_result_is_named(report, path):
    path.write_bytes(path.read_bytes()[:-3])
    status, error = report(*REPORT, "--experiment", "demo", "--rulegraph", "graph.dot")
    assert status == 1
    remake = f"make it anew with: snakemake -R {path} -- {path}"
    _is_one_line(error, f"{path}: damaged (", remake)
    assert not Path("figures").exists()


@pytest.mark.parametrize("path", [Path(DAMAGED[i]) for i in (0, 8, 9)])
def test_a_result_that_all_need_is_named_where_it_is_lost(report, path):
    path.unlink()
    status, error = report(*REPORT, "--experiment", "demo", "--rulegraph", "graph.dot")
    assert status == 1
    _is_one_line(error, str(path), "got no file; make it with: snakemake -c2")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (Path(DAMAGED[i]), name)
        for i, name in ((1, "SR"), (2, "ABD"), (3, "ABD"), (4, "SR"), (6, "ABD"))
    ],
)
def test_a_partly_finished_experiment_has_a_report(report, path, name, capsys):
    """It says which students have not run, and shows the others."""
    path.unlink()
    assert report("report", "--experiment", "demo") == (0, "")
    pages = [Path(f"work/reports/pages/demo.{end}") for end in ("html", "md")]
    page, table = (path.read_text() for path in pages)
    lacking = f"badnet_sq, ood: {name}, seed 0"
    for text in (page, table):
        assert "1 of 6 students have not run" in text
        assert lacking in text
    row = next(line for line in table.splitlines() if line.startswith("| badnet_sq | ood"))
    assert row.count("| missing |") == 1
    assert row.count(" / ") == 1 + 4
    assert main(["show", "--params", str(PARAMS), "--paper", str(PAPER)]) == 0
    shown = capsys.readouterr().out
    assert lacking in shown

    status, error = report("summary", "--out", "s.json")
    assert status == 1, "the summary is of whole experiments"
    _is_one_line(error, str(path), "make it with: snakemake -c2 demo")


def test_missing_seeds_are_named_together(results):
    cells = [
        replace(CELL, seed=seed, trigger=t) for t in ("blend", "sig") for seed in (0, 1, 2)
    ]
    (first,) = results(cells[:1])
    (listed,) = cell_lists(load_plan(PARAMS), Results("x", [first], cells[1:]))
    assert listed.lines == [
        "blend, ood: no defense, seeds 1, 2",
        "sig, ood: no defense, seeds 0, 1, 2",
    ]
    assert listed.text == "5 of 6 students have not run"


def test_students_whose_images_were_of_one_class_are_named(results):
    """By the last point of the curve that says so."""
    cells = [replace(CELL, seed=seed) for seed in (0, 1, 2)]
    for cell, classes in zip(cells, ((6.0, 1.04), (1.0, 7.0), ()), strict=True):
        results([cell])
        points = [Record(10 * i, {"classes": n}) for i, n in enumerate(classes, 1)]
        write_history(Path(history_paths(cell)[-1]), points)
    (listed,) = cell_lists(load_plan(PARAMS), Results("x", measured(cells), []))
    assert listed.word == "One class"
    assert listed.text.startswith("1 of 3 students learned at the end from images that")
    assert listed.lines == ["badnet_sq, ood: no defense, seed 0: 1.0 of 10"]


def test_results_of_the_wrong_kind_are_named(report):
    metrics, vaccine = Path(DAMAGED[1]), Path(DAMAGED[2])
    for path, text in ((metrics, "{}"), (metrics, "[]"), (vaccine, '{"found": true}')):
        before = path.read_text()
        path.write_text(text)
        _is_one_line(report("show")[1], f"{path}: damaged (")
        path.write_text(before)
    assert report("show") == (0, "")


def test_a_truncated_record_is_named(report):
    metrics = Path(DAMAGED[1])
    record = metrics.with_name("record.json")
    record.write_text('{"outputs": {"metrics.json"')
    _is_one_line(report("show")[1], f"{record}: damaged (", f"-R {metrics}")


def test_a_result_that_is_not_what_its_record_says_is_named(report):
    metrics = Path(DAMAGED[1])
    record = {"stage": "evaluate", "outputs": {"metrics.json": "0" * 64}}
    write_json(metrics.with_name("record.json"), record)
    _is_one_line(report("show")[1], f"{metrics}: damaged", "written by rule evaluate")


def test_the_contact_sheet_has_one_example_per_teacher(results):
    """Students of one teacher share it; the image is the stamped one."""
    cells = [
        replace(CELL, trigger=t, defense=d)
        for t in ("sig", "blend")
        for d in ("none", "sr")
    ]
    examples = examples_of(results(cells))
    assert [e.label for e in examples] == ["sig\n90.0 / 100.0", "blend\n90.0 / 100.0"]
    assert [np.unique(e.image).tolist() for e in examples] == [[60], [100]]


def test_the_contact_sheet_tells_teachers_apart(results):
    cells = [CELL, replace(CELL, teacher="wrn-40-2")]
    labels = [e.label.splitlines()[0] for e in examples_of(results(cells))]
    assert labels == ["badnet_sq, teacher wrn-16-2", "badnet_sq, teacher wrn-40-2"]


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 1)), (6, (1, 6)), (11, (2, 6))])
def test_the_contact_sheet_wraps(n, shape):
    example = Example(np.zeros((8, 8, 3), np.uint8), "name\n1.0 / 2.0")
    figure = contact_sheet([example] * n)
    assert len(figure.axes) == shape[0] * shape[1]
    assert [ax.get_xlabel() for ax in figure.axes if ax.images] == [example.label] * n
