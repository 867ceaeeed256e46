"""What a verdict says, and what it is measured against."""

import re
from pathlib import Path

import pytest
import yaml
from sklearn.metrics import roc_auc_score

from abd.purify.calibration import Calibration, read_calibration
from abd.purify.labelled import Known
from abd.purify.sentences import say_of_student, say_price, sum_up

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
    assert "nobody has measured" in sum_up(_found(1.5), KNOWN, other)
    assert "nobody has measured" not in sum_up(_found(1.5), KNOWN, LOOKED_AT)


def test_a_score_that_is_none_is_no_sign():
    assert not KNOWN.is_sign(float("nan"))


def _flips(undefended, purified):
    found = {"undefended": {"flipped_to": undefended}, "purified": {"flipped_to": purified}}
    return {"n_images": 500, "perturbations": found}


def test_of_the_student_it_says_what_is_left_and_how_sure_that_is():
    said = say_of_student(_flips([0.0, 0.8], [0.1, 0.0]))
    assert said.startswith(
        "The picture that self-retrospection finds in the purified student flips 10 % of "
        "the images (95 %: 8 to 13) to class 0; in the undefended one its own flips 80 % to "
        "class 1."
    )
    assert "clean" not in said


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
    study = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    about = read_calibration().about
    assert about["verdict"] == study["verdict"]
    assert about["vaccine"] == {k: study["vaccine"][k] for k in ("members", "n_conv")}


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
