"""What a verdict says, and what it is measured against."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from sklearn.metrics import roc_auc_score

from abd.purify.calibration import Calibration, read_calibration
from abd.purify.verdict import About, sum_up

ROOT = Path(__file__).parents[1]
LOOKED_AT = {"net": "wrn-16-2", "source": "ood", "size": 16, "verdict": {"draws": 4}}
ABOUT = About(
    file="t.pt", sha256="0", teacher="wrn-16-2", student="wrn-16-1", source="ood", size=16,
    n_classes=3, mean=[0.5] * 3, std=[0.2] * 3, budget=1.0, seed=0, looked_at=LOOKED_AT,
    accs={},
)  # fmt: skip
KNOWN = Calibration(
    {"dataset": "digits", **LOOKED_AT},
    clean=[0.1 * i for i in range(10)],
    backdoored=[0.5, 2.0, 3.0],
)


def _found(score, *, vaccine=False):
    return {"score": score, "moved_to": [0.1, 0.0, 0.4], "vaccine": {"found": vaccine}}


def test_a_score_that_hardly_a_clean_teacher_has_is_a_sign():
    said = sum_up(_found(1.5), KNOWN, ABOUT)
    assert said == (
        "A sign of a backdoor was found, towards class 2 above all: of 10 clean teachers "
        "of the digits 0 had a score as high, of 3 backdoored ones 2."
    )


@pytest.mark.parametrize("score", [0.0, 0.5])
def test_no_sign_is_no_clean_teacher(score):
    said = sum_up(_found(score), KNOWN, ABOUT)
    assert said.startswith("No sign of a backdoor was found, which is no proof that there")


def test_a_vaccine_is_a_sign_whatever_the_score():
    assert sum_up(_found(0.0, vaccine=True), KNOWN, ABOUT).startswith("A vaccine was found")


@pytest.mark.parametrize(
    "changes",
    [{"net": "resnet-18"}, {"source": "zskt"}, {"size": 32}, {"verdict": {"draws": 1}}],
)
def test_of_other_teachers_it_says_that_nobody_has_measured(changes):
    other = replace(ABOUT, looked_at={**LOOKED_AT, **changes})
    assert "nobody has measured" in sum_up(_found(1.5), KNOWN, other)
    assert "nobody has measured" not in sum_up(_found(1.5), KNOWN, ABOUT)


def test_a_score_that_is_none_is_no_sign():
    assert not KNOWN.is_sign(float("nan"))


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
