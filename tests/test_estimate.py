"""What `abd purify --dry-run` says that it takes."""

from pathlib import Path

import pytest

from abd.config import load_plan
from abd.config.lengths import lengths
from abd.purify.estimate import seconds_of
from abd.purify.timing import N_TIMED, Seconds, rounds_of

SETTINGS = load_plan(Path(__file__).parents[1] / "params.yaml").settings["digits"]


def test_the_first_turn_warms_up_and_few_are_timed():
    took = iter([2.0, 0.1, 0.2, 0.3, 100.0])
    assert rounds_of(took, 1) == [pytest.approx(0.2)]
    assert next(took) == 100.0, "as many as are timed, and none more"
    assert N_TIMED == 3


def test_turns_that_compile_are_not_looked_at():
    took = iter([30.0, 30.0, 2.0, 2.0, 0.1, 0.3])
    assert rounds_of(took, 2, n_skipped=1) == [pytest.approx(0.1), pytest.approx(0.3)]


def test_rounds_that_take_long_are_not_repeated():
    took = iter([7.0, 1.0])
    assert rounds_of(took, 1) == [7.0]
    assert next(took) == 1.0


def test_kinds_that_come_by_turns_are_told_apart():
    assert rounds_of(iter([2.0, 1.0, 0.2, 0.4, 0.4, 0.6]), 2) == [
        pytest.approx(0.3),
        pytest.approx(0.5),
    ]


def test_a_run_that_is_shorter_than_what_is_timed():
    assert rounds_of(iter([0.5]), 1) == [0.5]


def test_stages_are_so_many_rounds_of_each_kind():
    """Of CMI: an epoch is 60 steps of synthesis and 60 of distillation; the warm prefix
    is synthesis alone."""
    own = SETTINGS.distill.cmi
    brief, shares = own.brief()
    assert brief.rounds_per_epoch(0) == len(shares) == 2
    assert shares == (0.5, 0.5)
    long = lengths(SETTINGS, "cmi")
    took = Seconds([1.0, 3.0], guarded=[2.0, 4.0], retrospected=[1.0, 11.0], searched=0.5)
    by_job = seconds_of(took, shares, long, SETTINGS, "cmi")
    assert by_job["surrogate"] == long.warm
    assert by_job["distill plain"] == 2 * long.total - long.warm
    assert by_job["distill searched"] == 3 * long.total - 2 * long.warm
    assert by_job["retrospect"] == 6 * (long.total - long.lambda_)
    images = (long.warm - long.skip) * own.synthesis.images
    assert by_job["vaccine"] == 0.5 * images


@pytest.mark.parametrize("source", ["ood", "zskt", "clean"])
def test_other_sources_have_rounds_of_one_kind(source):
    own = SETTINGS.distill.of(source)
    assert own.brief() == (own, (1.0,))
