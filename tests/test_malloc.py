"""What malloc is told, by C libraries that take it and that do not."""

import ctypes
from types import SimpleNamespace

import pytest

from abd.stages.memory import ALL, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, keep_freed_memory


@pytest.mark.parametrize(
    ("largest", "taken"),
    [
        (ALL, {M_MMAP_THRESHOLD: ALL, M_TRIM_THRESHOLD: ALL}),
        (32 * 2**20, {M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: ALL}),
        (0, {}),
    ],
)
def test_the_largest_threshold_that_is_taken_and_none_alone(largest, taken, monkeypatch):
    kept = {}

    def mallopt(parameter, value):
        if parameter == M_MMAP_THRESHOLD and value > largest:
            return 0
        kept[parameter] = value
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    keep_freed_memory()
    assert kept == taken


def test_a_library_that_has_no_such_setting_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()
