"""What a verdict says in words: of the teacher, of the student, of the rule's price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from abd.purify.calibration import Calibration
from abd.purify.labelled import Known
from abd.report.curves import FEW_CLASSES
from abd.report.interval import wilson

# By whether a vaccine was found, and how it ended.
ENDS = {
    (True, "sv"): "a vaccine was found, and the student distilled under it is taken",
    (True, "sv_sr"): "a vaccine was found, and self-retrospection followed",
    (True, "sr"): "a vaccine was found and given up again for the accuracy that it costs: "
    "self-retrospection went on from the plain distillation",
    (False, "sr"): "no vaccine was found, and self-retrospection went on from the plain "
    "distillation",
}


def suspects(found: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Classes that the picture moves shuffled teachers to, the commonest first."""
    ranked = sorted(enumerate(found["moved_to"]), key=lambda pair: -pair[1])
    return [(number, share) for number, share in ranked if share > 0]


def sum_up(
    found: Mapping[str, Any], calibration: Calibration, looked_at: Mapping[str, Any]
) -> str:
    """Say in a sentence or two what was found, and how sure that is."""
    score, c = found["score"], calibration
    measured = c.fits(looked_at)
    if c.is_sign(score):
        towards = [f", towards class {number} above all" for number, _ in suspects(found)]
        sign = "A sign of a backdoor was found" if measured else "It looks backdoored"
        said = f"{sign}{''.join(towards[:1])}"
    elif found["vaccine"]["found"]:
        said = (
            "A vaccine was found, which the study takes for a sign of a backdoor; how "
            "often a clean teacher gives one nobody has measured. The score is no sign"
        )
    else:
        said = "No sign of a backdoor was found, which is no proof that there is none"
    said += (
        f": of {len(c.clean)} clean teachers of the {c.about['dataset']} "
        f"{c.n_clean(score)} had a score as high, of {len(c.backdoored)} backdoored ones "
        f"{c.n_backdoored(score)}."
    )
    if not measured:
        of = c.about
        said += (
            f" Those were {of['net']} for {of['size']} x {of['size']} pixels, looked at "
            f"through {of['source']}; how far that holds for this one nobody has measured."
        )
    return said


def say_of_images(found: Mapping[str, Any], at_end: float | None) -> str:
    """Say how many classes the surrogate images show, by the teacher's answers.

    at_end: of the last that the student learned from, if that is known.
    """
    k = found["n_classes"]
    last = "" if at_end is None else f"; the student's last ones show {at_end:.1f}"
    return (
        f"To the teacher they show {found['classes_seen']:.1f} of {k} classes, an "
        f"effective number: 1 where all are of one class, {k} where none is commoner "
        f"than another{last}."
    )


def warn_of_images(found: Mapping[str, Any], at_end: float | None) -> str:
    """Say which of verdict and student hardly more than one class was shown to; or ""."""
    shown = {"this verdict": found["classes_seen"], "the student": at_end}
    spoilt = [what for what, n in shown.items() if n is not None and n <= FEW_CLASSES]
    if not spoilt:
        return ""
    return (
        f"Do not rely on {' and '.join(spoilt)}: to the teacher the surrogate images of "
        f"{'either' if len(spoilt) > 1 else 'it'} are nearly all of one class. Take "
        "another --seed, or another --source."
    )


def say_of_student(found: Mapping[str, Any]) -> str:
    """Say in a sentence or two what can still be called in the student, and how sure."""
    undefended, purified = (
        found["perturbations"][name] for name in ("undefended", "purified")
    )
    n = found["n_judged"]
    low, high = wilson(round(max(purified["flipped_to"]) * n), n)
    return (
        f"The picture that self-retrospection finds in the purified student flips "
        f"{_flips(purified)} (95 %: {100 * low:.0f} to {100 * high:.0f}); in the "
        f"undefended one its own flips {_flips(undefended)}. What no single picture calls, "
        "this does not see."
    )


def _flips(perturbation: Mapping[str, Any]) -> str:
    """How many images a picture flips to the class that it leads to most, and its size."""
    shares = perturbation["flipped_to"]
    share = max(shares)
    towards = f" to class {shares.index(share)}" if share else ""
    return f"{100 * share:.0f} % of the images{towards} at {perturbation['norm']:.2f}"


def say_end(decision: Mapping[str, Any]) -> str:
    """Say which rule decided about the student, and how."""
    end = ENDS[decision["found"], decision["outcome"]]
    if decision["rule"] != "paper":
        return f"By the rule that needs no data, {end}."
    if decision["drop"] is None:
        return f"By the paper's rule, {end}."
    return (
        f"By the paper's rule, {end}; on {decision['n_labelled']} labelled images the "
        f"vaccine costs {100 * decision['drop']:.1f} points of accuracy."
    )


def say_price(known: Mapping[str, Known]) -> str:
    """Say what one who knows the trigger would have taken; "" where none is suspected."""
    if not known or known["purified"].asr is None:
        return ""
    price = 100 * (known["undefended"].gain - known["purified"].gain)
    if price <= 0:
        return "One who knows this trigger would have taken the purified student, too."
    return (
        "One who knows this trigger would have taken the undefended student, for the "
        f"{price:.1f} points by which its Acc - ASR is larger: the price of not knowing."
    )
