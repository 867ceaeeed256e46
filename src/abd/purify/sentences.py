"""What a verdict says in words: of the teacher, of the student, of the rule's price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from abd.purify.calibration import Calibration
from abd.purify.labelled import Known
from abd.report.interval import wilson


def suspects(found: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Classes that the picture moves shuffled teachers to, the commonest first."""
    ranked = sorted(enumerate(found["moved_to"]), key=lambda pair: -pair[1])
    return [(number, share) for number, share in ranked if share > 0]


def sum_up(
    found: Mapping[str, Any], calibration: Calibration, looked_at: Mapping[str, Any]
) -> str:
    """Say in a sentence or two what was found, and how sure that is."""
    score, c = found["score"], calibration
    beside = (
        f"of {len(c.clean)} clean teachers of the {c.about['dataset']} "
        f"{c.n_clean(score)} had a score as high, of {len(c.backdoored)} backdoored ones "
        f"{c.n_backdoored(score)}"
    )
    if c.is_sign(score):
        towards = [f", towards class {number} above all" for number, _ in suspects(found)]
        said = f"A sign of a backdoor was found{''.join(towards[:1])}: {beside}."
    elif found["vaccine"]["found"]:
        said = (
            "A vaccine was found, which is a sign of a backdoor; the score is none: "
            f"{beside}."
        )
    else:
        said = (
            f"No sign of a backdoor was found, which is no proof that there is none: "
            f"{beside}."
        )
    if not c.fits(looked_at):
        of = c.about
        said += (
            f" Those were {of['net']} for {of['size']} x {of['size']} pixels, looked at "
            f"through {of['source']}; how far that holds for this one nobody has measured."
        )
    return said


def say_of_student(found: Mapping[str, Any]) -> str:
    """Say in a sentence or two what can still be called in the student, and how sure."""
    undefended, purified = (
        found["perturbations"][name]["flipped_to"] for name in ("undefended", "purified")
    )
    share = max(purified)
    low, high = wilson(round(share * found["n_images"]), found["n_images"])
    return (
        f"The picture that self-retrospection finds in the purified student flips "
        f"{100 * share:.0f} % of the images (95 %: {100 * low:.0f} to {100 * high:.0f}) to "
        f"class {purified.index(share)}; in the undefended one its own flips "
        f"{100 * max(undefended):.0f} % to class {undefended.index(max(undefended))}. What "
        "no single picture calls, this does not see."
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
