"""What a verdict says, and what it is measured against."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from abd.report.calibration import Calibration, read_calibration
from abd.report.verdict import About, sum_up

ABOUT = About(
    file="t.pt", sha256="0", teacher="wrn-16-2", student="wrn-16-1", source="ood", size=16,
    n_classes=3, budget=1.0, seed=0, accs={},
)  # fmt: skip
KNOWN = Calibration(
    {"dataset": "digits", "net": "wrn-16-2", "source": "ood"},
    clean=[0.1 * i for i in range(10)],
    backdoored=[0.5, 2.0, 3.0],
)


def _found(score, *, vaccine=False):
    return {"score": score, "moved_to": [0.1, 0.0, 0.4], "vaccine": {"found": vaccine}}


def test_a_score_that_hardly_a_clean_teacher_has_is_a_sign():
    said = sum_up(_found(1.5), KNOWN, ABOUT)
    assert said == (
        "A sign of a backdoor was found, towards class 2 above all: of 10 clean teachers "
        "that abd was tried on 0 had a score as high, of 3 backdoored ones 2."
    )


@pytest.mark.parametrize("score", [0.0, 0.5])
def test_no_sign_is_no_clean_teacher(score):
    said = sum_up(_found(score), KNOWN, ABOUT)
    assert said.startswith("No sign of a backdoor was found, which is no proof that there")


def test_a_vaccine_is_a_sign_whatever_the_score():
    assert sum_up(_found(0.0, vaccine=True), KNOWN, ABOUT).startswith("A vaccine was found")


@pytest.mark.parametrize("changes", [{"teacher": "resnet-18"}, {"source": "zskt"}])
def test_of_other_teachers_it_says_that_nobody_has_measured(changes):
    said = sum_up(_found(1.5), KNOWN, replace(ABOUT, **changes))
    assert "nobody has measured" in said
    assert "nobody has measured" not in sum_up(_found(1.5), KNOWN, ABOUT)


def test_the_documentation_has_the_calibration_s_figures():
    known = read_calibration()
    assert (len(known.clean), len(known.backdoored)) == (15, 15)
    scores = [*known.clean, *known.backdoored]
    auc = roc_auc_score([0] * 15 + [1] * 15, scores)
    text = (Path(__file__).parents[1] / "docs/purify.md").read_text("utf-8")
    (told,) = re.findall(r"an area under the ROC of \*\*([0-9.]+)\*\*", text)
    assert float(told) == pytest.approx(auc, abs=0.006)
