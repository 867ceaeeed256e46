"""What a verdict says, and what it is measured against."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from abd.config import load_params, load_plan, make_plan
from abd.config.sections import merge
from abd.purify.calibration import Calibration, read_calibration, shaping
from abd.purify.labelled import Known
from abd.purify.sentences import (
    say_end,
    say_of_images,
    say_of_student,
    say_price,
    sum_up,
    warn_of_images,
)

ROOT = Path(__file__).parents[1]
LOOKED_AT = {"net": "wrn-16-2", "source": "ood", "size": 16, "verdict": {"draws": 4}}
KNOWN = Calibration(
    {"dataset": "digits", **LOOKED_AT},
    clean=[0.1 * i for i in range(10)],
    backdoored=[0.5, 2.0, 3.0],
)


def _found(score, *, vaccine=False):
    return {"score": score, "moved_to": [0.1, 0.0, 0.4], "vaccine": {"found": vaccine}}


def test_a_score_that_hardly_a_clean_teacher_has_is_a_sign():
    said = sum_up(_found(1.5), KNOWN, LOOKED_AT)
    assert said == (
        "A sign of a backdoor was found, towards class 2 above all: of 10 clean teachers "
        "of the digits 0 had a score as high, of 3 backdoored ones 2."
    )


@pytest.mark.parametrize("score", [0.0, 0.5])
def test_no_sign_is_no_clean_teacher(score):
    said = sum_up(_found(score), KNOWN, LOOKED_AT)
    assert said.startswith("No sign of a backdoor was found, which is no proof that there")


def test_a_vaccine_is_a_sign_whatever_the_score():
    assert sum_up(_found(0.0, vaccine=True), KNOWN, LOOKED_AT).startswith(
        "A vaccine was found"
    )


@pytest.mark.parametrize(
    "changes",
    [{"net": "resnet-18"}, {"source": "zskt"}, {"size": 32}, {"verdict": {"draws": 1}}],
)
def test_of_other_teachers_it_says_that_nobody_has_measured(changes):
    other = {**LOOKED_AT, **changes}
    said = sum_up(_found(1.5), KNOWN, other)
    assert "nobody has measured" in said
    assert not said.startswith("A sign")
    assert "nobody has measured" not in sum_up(_found(1.5), KNOWN, LOOKED_AT)


def test_a_score_that_is_none_is_no_sign():
    assert not KNOWN.is_sign(float("nan"))


def _found_in_students(undefended, purified):
    found = {
        "undefended": {"flipped_to": undefended, "norm": 1.5},
        "purified": {"flipped_to": purified, "norm": 0.4},
    }
    return {"n_judged": 500, "perturbations": found}


def test_of_the_student_it_says_what_is_left_and_how_sure_that_is():
    said = say_of_student(_found_in_students([0.0, 0.8], [0.1, 0.0]))
    assert said.startswith(
        "The picture that self-retrospection finds in the purified student flips 10 % of "
        "the images to class 0 at 0.40 (95 %: 8 to 13); in the undefended one its own flips "
        "80 % of the images to class 1 at 1.50."
    )
    assert "clean" not in said


def test_of_a_student_that_nothing_moves_it_names_no_class():
    said = say_of_student(_found_in_students([0.0, 0.0], [0.0, 0.0]))
    assert "class" not in said


@pytest.mark.parametrize(
    ("seen", "at_end", "warning"),
    [
        (6.2, 5.9, None),
        (6.2, None, None),
        (
            1.0,
            1.0,
            "Do not rely on this verdict and the student: to the teacher the surrogate images of e",
        ),
        (
            6.2,
            1.05,
            "Do not rely on the student: to the teacher the surrogate images of it",
        ),
        (
            1.1,
            None,
            "Do not rely on this verdict: to the teacher the surrogate images of it",
        ),
    ],
)
def test_images_of_one_class_are_warned_of(seen, at_end, warning):
    found = {"n_classes": 10, "classes_seen": seen}
    said = say_of_images(found, at_end)
    assert f"show {seen} of 10 classes" in said
    assert ("last ones show" in said) is (at_end is not None)
    warned = warn_of_images(found, at_end)
    assert warned.startswith(warning) if warning else warned == ""


FREE = {"rule": "data_free", "drop": None, "n_labelled": None}


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({**FREE, "found": True, "outcome": "sv"}, "By the rule that needs no data, a vac"),
        ({**FREE, "found": False, "outcome": "sr"}, "By the rule that needs no data, no v"),
        (
            {
                "rule": "paper",
                "found": True,
                "outcome": "sr",
                "drop": 0.125,
                "n_labelled": 80,
            },
            "on 80 labelled images the vaccine costs 12.5 points of accuracy.",
        ),
        (
            {**FREE, "rule": "paper", "found": False, "outcome": "sr"},
            "By the paper's rule, no vaccine was found",
        ),
    ],
)
def test_it_says_which_rule_decided(decision, said):
    assert said in say_end(decision)


@pytest.mark.parametrize(
    ("undefended", "purified", "said"),
    [
        (Known(0.7, 1.0), Known(0.5, 0.1), "the purified student, too"),
        (Known(0.7, 0.1), Known(0.5, 0.1), "the undefended student, for the 20.0 points"),
        (Known(0.7, None), Known(0.5, None), ""),
    ],
)
def test_the_price_of_not_knowing_is_said_where_a_trigger_is_suspected(
    undefended, purified, said
):
    price = say_price({"undefended": undefended, "purified": purified})
    assert said in price
    assert bool(price) is bool(said)


def test_the_settings_are_those_that_were_calibrated():
    settings = load_plan(ROOT / "params.yaml").settings["digits"]
    known = read_calibration()
    assert known.fits(shaping("wrn-16-2", "ood", settings))
    shown = settings.verdict.model_copy(update={"n_shown": 8})
    assert known.fits(
        shaping("wrn-16-2", "ood", settings.model_copy(update={"verdict": shown}))
    )


@pytest.mark.parametrize(
    "own",
    [
        {"patches": {"photos": ["flower"]}},
        {"patches": {"recipe": {"square": 0.9}}},
        {"distill": {"by_dataset": {"digits": {"ood": {"crop_pad": 0}}}}},
        {"fetch": {"by_dataset": {"digits": {"mean": [0.5, 0.5, 0.5]}}}},
        {"verdict": {"draws": 2}},
    ],
)
def test_other_images_and_settings_were_not_calibrated(own):
    params = merge(load_params(ROOT / "params.yaml"), own)
    settings = make_plan(params).settings["digits"]
    assert not read_calibration().fits(shaping("wrn-16-2", "ood", settings))


def test_the_documentation_has_the_calibration_s_figures():
    known = read_calibration()
    assert (len(known.clean), len(known.backdoored)) == (15, 15)
    scores = [*known.clean, *known.backdoored]
    auc = roc_auc_score([0] * 15 + [1] * 15, scores)
    text = (ROOT / "docs/purify.md").read_text("utf-8")
    (told,) = re.findall(r"an area under the ROC of \*\*([0-9.]+)\*\*", text)
    assert float(told) == pytest.approx(auc, abs=0.006)
    signs = [sum(map(known.is_sign, own)) for own in (known.backdoored, known.clean)]
    assert (
        f"finds a sign in {signs[0]} of the 15 backdoored ones and in {signs[1]} of" in text
    )


def _by_trigger():
    """The scores of the clean teachers, and of the others by trigger."""
    path = ROOT / "src/abd/purify/calibration.json"
    scores = {}
    for teacher in json.loads(path.read_text("utf-8"))["teachers"]:
        scores.setdefault(teacher["trigger"], []).append(teacher["score"])
    return scores.pop(None), scores


def _auc(backdoored, clean):
    return roc_auc_score([0] * len(clean) + [1] * len(backdoored), [*clean, *backdoored])


def test_the_documentation_has_every_trigger_left_out():
    """Each one's threshold is chosen on the other four, by sensitivity - false alarms."""
    clean, by_trigger = _by_trigger()
    clean = np.array(clean)
    text = (ROOT / "docs/purify.md").read_text("utf-8")
    for trigger, scores in by_trigger.items():
        others = np.concatenate([own for t, own in by_trigger.items() if t != trigger])
        cut = max(
            sorted([*others, *clean]),
            key=lambda c: np.mean(others >= c) - np.mean(clean >= c),
        )
        row = re.search(rf"\| `{trigger}` \| (.*) \| (.*) \| (.*) \| (.*) \|", text)
        area, shown, found, above = row.groups()
        assert float(area) == pytest.approx(_auc(scores, clean), abs=0.006)
        assert list(map(float, shown.split(", "))) == pytest.approx(scores, rel=0.05)
        assert found == f"{sum(score >= cut for score in scores)} of 3"
        assert above == f"{sum(clean >= cut)} of 15"


def test_the_documentation_has_the_intervals():
    clean, by_trigger = _by_trigger()
    backdoored = [score for own in by_trigger.values() for score in own]
    text = (ROOT / "docs/purify.md").read_text("utf-8")
    told = re.search(
        r"interval ([0-9.]+) to ([0-9.]+) by bootstraps over the teachers; over the five "
        r"triggers.*?,\s+([0-9.]+) to ([0-9.]+)\)",
        text,
        re.DOTALL,
    )
    rng = np.random.default_rng(0)
    groups = list(by_trigger.values())

    def resampled():
        drawn = [groups[i] for i in rng.integers(0, len(groups), len(groups))]
        return np.concatenate([rng.choice(own, len(own)) for own in drawn])

    ways = (lambda: rng.choice(backdoored, len(backdoored)), resampled)
    found = [
        np.percentile(
            [_auc(draw(), rng.choice(clean, len(clean))) for _ in range(1000)], [2.5, 97.5]
        )
        for draw in ways
    ]
    assert list(map(float, told.groups())) == pytest.approx(np.ravel(found), abs=0.02)
