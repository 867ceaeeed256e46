"""What jobs took, from Snakemake's own measurements."""

from pathlib import Path

import pytest

from abd.provenance.usage import seconds_of
from abd.storage.files import write_json


@pytest.fixture
def took(tmp_path, monkeypatch):
    """Makes a job that took so many seconds, or a copy of another's student."""
    monkeypatch.chdir(tmp_path)

    def make(job, seconds, reused_from=None):
        table = Path("benchmarks", f"{job}.tsv")
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"s\th:m:s\n{seconds}\t0\n")
        history = Path("results", job, "history.jsonl")
        history.parent.mkdir(parents=True)
        facts = {"reused_from": f"results/{reused_from}/x"} if reused_from else {}
        write_json(history.with_name("record.json"), {"facts": facts})
        return history

    return make


def test_a_copy_took_what_the_job_took_that_it_is_of(took):
    took("distill/plain", 100.0)
    copied = took("distill/searched", 1.0, reused_from="distill/plain")
    assert seconds_of(Path(), [took("surrogate", 5.0), copied]) == 105.0


def test_what_a_copy_is_of_counts_once(took):
    """As of a vaccine that was found: its student is the end of the run, and begins it."""
    found = took("distill/searched", 100.0)
    copied = took("retrospect/abd", 1.0, reused_from="distill/searched")
    assert seconds_of(Path(), [took("surrogate", 5.0), found, copied]) == 105.0


def test_a_job_that_was_not_measured_here_has_no_time(took):
    assert seconds_of(Path(), [took("surrogate", 5.0), Path("results/x/y")]) is None
