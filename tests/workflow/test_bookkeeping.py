"""What Snakemake does not know of results, because it was killed, their records tell it."""

import pytest
from snakemake.persistence.file import FilePersistence

from tests.damage import flip
from tests.workflow.test_demo import KEY

TEACHER = "results/teacher/digits/badnet_sq/wrn-10-1-t0/teacher.safetensors"
SR = [
    f"results/retrospect/{KEY}/abd/{name}"
    for name in ("student.safetensors", "decision.json")
]
EDIT = {"teacher": {"by_dataset": {"digits": {"epochs": 2}}}}


@pytest.fixture
def notes(inside):
    """Snakemake's own bookkeeping."""
    return FilePersistence(nolock=True, path=inside.folder / ".snakemake")


def test_an_edit_concerns_a_job_that_ended_after_snakemake_was_killed(copied, notes):
    """As on a cluster, which goes on with it: nothing is noted of what it was told."""
    assert notes._delete_record(TEACHER)
    assert notes._delete_record(TEACHER.replace("teacher.safetensors", "history.jsonl"))
    assert copied.planned() == {}
    copied.edit(EDIT)
    assert copied.planned()["teacher"] == 1
    copied.snakemake("--", TEACHER)
    assert copied.planned(TEACHER) == {}


def test_a_job_that_ended_all_the_same_is_not_made_again(copied, notes):
    """As a job of this machine, whose Snakemake was killed: its results are marked."""
    for path in SR:
        notes._mark_incomplete(path, None)
    assert copied.planned() == {}
    copied.edit({"retrospect": {"rounds": 1}})
    assert copied.planned()["retrospect_abd"] == 1


def test_results_that_are_not_whole_are_made_again(copied, notes):
    for path in SR:
        notes._mark_incomplete(path, None)
    flip(copied.folder / SR[0], 100)
    assert copied.planned()["retrospect_abd"] == 1
