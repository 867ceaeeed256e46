"""Samples of the machine: one file per job, that a retry adds to."""

import json
import time

from abd.stages.sampling import sampled


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_sample_at_the_end_at_least(tmp_path):
    path = tmp_path / "deep" / "job.system.jsonl"
    before = 1000 * time.time()
    with sampled(path, "k"):
        held = bytearray(50 * 2**20)
    first, sample = _lines(path)
    assert first == {"key": "k"}
    assert len(held) / 2**20 < sample["memory_megabytes"]
    assert before - 1 <= sample["time"] <= 1000 * time.time()


def test_samples_come_in_between(tmp_path, monkeypatch):
    monkeypatch.setenv("ABD_SAMPLE_SECONDS", "0.02")
    path = tmp_path / "job.system.jsonl"
    with sampled(path, "k"):
        while len(path.read_text().splitlines() if path.exists() else ()) < 4:
            time.sleep(0.01)
    times = [sample["time"] for sample in _lines(path)[1:]]
    assert times == sorted(times)


def test_a_share_of_a_processor_is_never_of_a_moment(tmp_path, monkeypatch):
    """As where the end follows a sample at once."""
    monkeypatch.setenv("ABD_SAMPLE_SECONDS", "0.15")
    for i in range(3):
        path = tmp_path / f"{i}.system.jsonl"
        with sampled(path, "k"):
            while len(path.read_text().splitlines() if path.exists() else ()) < 2:
                sum(range(10_000))
        _, first, *_ = _lines(path)
        shares = [s.get("cpu_utilization_percentage") for s in _lines(path)[1:]]
        assert first["cpu_utilization_percentage"] > 0
        assert all(share is None or share < 300 for share in shares)


def test_a_job_that_goes_on_adds_and_another_begins_anew(tmp_path):
    path = tmp_path / "job.system.jsonl"
    for key, n_samples in (("k", 1), ("k", 2), ("other", 1)):
        with sampled(path, key):
            pass
        assert _lines(path)[0] == {"key": key}
        assert len(_lines(path)) == 1 + n_samples


def test_a_file_that_cannot_be_written_stops_no_job(tmp_path):
    (tmp_path / "file").touch()
    with sampled(tmp_path / "file" / "job.system.jsonl", "k"):
        done = True
    assert done
