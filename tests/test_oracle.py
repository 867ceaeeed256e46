"""The price of not knowing the trigger, on hand-made results."""

from dataclasses import replace
from pathlib import Path

import pytest

from abd.config import Cell
from abd.config.paths import (
    decision_path,
    history_paths,
    metrics_path,
    score_path,
    teacher_metrics_path,
    vaccine_path,
)
from abd.history import Record
from abd.report.cells import measured
from abd.report.oracle import make_prices
from abd.storage.files import write_json
from abd.storage.results import write_history

CELL = Cell("digits", "badnet_sq", "wrn-16-2", 0, "ood", "wrn-16-1", 0, "none")


def _measured(defense, looks, seed=0):
    """A cell whose monitor saw `looks`: (round, acc, asr) each, the last its end."""
    cell = replace(CELL, defense=defense, seed=seed)
    counts = {"n_target": 1, "n_stamped": 2}
    write_json(Path(teacher_metrics_path(cell)), {"acc": 0.9, "asr": 1.0, **counts})
    _, acc, asr = looks[-1]
    write_json(Path(metrics_path(cell)), {"acc": acc, "asr": asr, **counts})
    for path in history_paths(cell):
        write_history(Path(path), [])
    points = [Record(step, {"acc": acc, "asr": asr}) for step, acc, asr in looks]
    write_history(Path(history_paths(cell)[-1]), points)
    if defense == "abd":
        trial = {"ratio": 0.01, "cut": -1.0}
        found = {"found": False, "trial": None, "threshold": 0.02, "trials": [trial]}
        write_json(Path(vaccine_path(cell)), found)
        write_json(Path(score_path(cell)), {"auc": 0.5})
        decision = {"rule": "data_free", "found": False, "outcome": "sr", "drop": None}
        nothing = {"acc_plain": None, "acc_vaccinated": None, "n_labelled": None}
        write_json(Path(decision_path(cell)), {**decision, **nothing})
    return measured([cell])[0]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_oracle_takes_the_largest_difference_of_ends_and_of_moments():
    cells = [
        _measured("none", [(10, 0.5, 0.0), (20, 0.8, 0.9)]),
        _measured("sv", [(10, 0.3, 0.2), (20, 0.6, 0.2)]),
        _measured("abd", [(10, 0.4, 0.9), (20, 0.5, 0.3)]),
    ]
    prices = make_prices(cells)
    assert prices.keys == ("trigger", "source")
    assert prices.rows == (
        (
            *("badnet_sq", "ood", "50.0 / 30.0"),
            *("60.0 / 20.0", "SV", "20.0"),
            *("50.0 / 0.0", "no defense, round 10", "30.0"),
        ),
    )
    assert len(prices.header()) == len(prices.rows[0])


def test_a_rule_that_is_right_costs_nothing():
    cells = [
        _measured("none", [(20, 0.8, 0.9)]),
        _measured("abd", [(20, 0.7, 0.0)]),
    ]
    (row,) = make_prices(cells).rows
    assert row[2:] == (
        *("70.0 / 0.0",),
        *("70.0 / 0.0", "ABD", "0.0"),
        *("70.0 / 0.0", "ABD", "0.0"),
    )


def test_where_the_rule_is_another_defense_the_rule_is_named():
    cells = [
        _measured("none", [(20, 0.8, 0.9)]),
        _measured("sr", [(20, 0.7, 0.1)]),
        _measured("abd", [(20, 0.7, 0.1)]),
    ]
    (row,) = make_prices(cells).rows
    assert row[4:6] == row[7:9] == ("ABD", "0.0")


def test_each_seed_has_its_own_oracle():
    cells = [
        _measured("none", [(20, 0.6, 0.1)]),
        _measured("abd", [(20, 0.5, 0.1)]),
        _measured("none", [(20, 0.5, 0.9)], seed=1),
        _measured("abd", [(20, 0.5, 0.2)], seed=1),
    ]
    (row,) = make_prices(cells).rows
    assert row[3:6] == (
        "55.0 ± 7.1 / 15.0 ± 7.1",
        "no defense for 1, ABD for 1",
        "5.0 ± 7.1",
    )


def test_without_the_rule_or_others_beside_it_there_is_nothing_to_compare():
    assert make_prices([_measured("none", [(20, 0.6, 0.1)])]).rows == ()
    assert make_prices([_measured("abd", [(20, 0.6, 0.1)])]).rows == ()
