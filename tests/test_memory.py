"""What jobs ask of main memory, from the params alone."""

from pathlib import Path

import pytest
import yaml

from abd.config import make_plan
from abd.config.memory import BASE, memory_mb
from abd.stages import STAGES

RAW = yaml.safe_load(Path("params.yaml").read_text())


@pytest.fixture(scope="module")
def settings():
    return make_plan(RAW).settings


def test_every_stage_asks_for_something(settings):
    assert set(STAGES) == set(BASE)
    for stage in STAGES:
        assert memory_mb(stage, settings["digits"], {"source": "ood"}) >= BASE[stage]


def test_small_images_add_next_to_nothing(settings):
    asked = memory_mb("teacher", settings["digits"], {})
    assert asked - BASE["teacher"] <= 3 * 1437 * 3 * 16 * 16 / 2**20 + 1


def test_a_generators_cache_is_counted_as_floats(settings):
    """39 cycles of CIFAR-10, before and after the generator's step, 128 images each."""
    cifar10 = settings["cifar10"]
    cache = 39 * 2 * 128 * 3 * 32 * 32 * 4
    more = memory_mb("surrogate", cifar10, {"source": "zskt"}) - memory_mb(
        "distill", cifar10, {}
    )
    assert more == pytest.approx(3 * cache / 2**20, abs=1)


def test_a_pools_cache_is_counted_as_pixels(settings):
    cifar10 = settings["cifar10"]
    cache = 89 * 512 * 3 * 32 * 32
    more = memory_mb("vaccine", cifar10, {"source": "ood"}) - memory_mb(
        "distill", cifar10, {}
    )
    assert more == pytest.approx(3 * cache / 2**20, abs=1)
