"""When self-retrospection follows the vaccine: the tables of cases."""

import pytest

from abd.activation import Drop, by_drop, data_free


@pytest.mark.parametrize(
    ("found", "force", "outcome"),
    [
        (True, False, "sv"),
        (True, True, "sv_sr"),
        (False, False, "sr"),
        (False, True, "sr"),
    ],
)
def test_without_data_the_search_decides(found, force, outcome):
    assert data_free(found=found, force=force) == outcome


@pytest.mark.parametrize(
    ("drop", "outcome", "forced"),
    [
        (-0.02, "sv_sr", "sv_sr"),
        (0.0, "sv_sr", "sv_sr"),
        (0.049, "sv_sr", "sv_sr"),
        (0.05, "sv", "sv_sr"),
        (0.07, "sv", "sv_sr"),
        (0.10, "sv", "sv_sr"),
        (0.101, "sr", "sr"),
        (1.0, "sr", "sr"),
    ],
)
def test_with_labelled_images_the_drop_decides(drop, outcome, forced):
    limits = {"sr_below": 0.05, "sv_restart_drop": 0.1}
    assert by_drop(drop, **limits, force=False) == outcome
    assert by_drop(drop, **limits, force=True) == forced


def test_limits_that_meet_leave_nothing_between_but_themselves():
    limits = {"sr_below": 0.05, "sv_restart_drop": 0.05, "force": False}
    assert [by_drop(d, **limits) for d in (0.04, 0.05, 0.06)] == ["sv_sr", "sv", "sr"]


def test_five_points_are_five_points():
    """By counts: 0.95 - 0.90 is less than 0.05 in floating point."""
    assert Drop(n_plain=95, n_vaccinated=90, n=100).value == 0.05
    assert Drop(n_plain=90, n_vaccinated=95, n=100).value == -0.05
