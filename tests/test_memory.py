"""What jobs ask of main memory, from the params alone."""

from pathlib import Path

import pytest
import yaml

from abd.config import make_plan
from abd.config.memory import BASE, memory_mb
from abd.config.sections import merge
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
    zskt = {"source": "zskt"}
    cache = 39 * 2 * 128 * 3 * 32 * 32 * 4
    more = memory_mb("surrogate", settings["cifar10"], zskt) - memory_mb(
        "distill", settings["cifar10"], zskt
    )
    assert more >= cache / 2**20


@pytest.mark.parametrize("source", ["zskt", "cmi"])
def test_every_stage_that_reads_the_cache_has_room_for_it(settings, source):
    needed = {
        stage: memory_mb(stage, settings["cifar10"], {"source": source})
        for stage in ("surrogate", "vaccine", "verdict")
    }
    assert len(set(needed.values())) == 1


@pytest.mark.parametrize(
    ("source", "n_images"),
    [("ood", 60_000), ("clean", 50_000), ("cmi", 200 * 256), ("zskt", 50_000)],
)
def test_the_larger_of_data_set_and_pool_counts(settings, source, n_images):
    """Patches may be more than the images; CMI's pool grows to the end."""
    many = merge(RAW, {"patches": {"n": 60_000}})
    cifar10 = make_plan(many).settings["cifar10"]
    asked = memory_mb("distill", cifar10, {"source": source}) - BASE["distill"]
    assert asked == pytest.approx(3 * n_images * 3 * 32 * 32 / 2**20, abs=1)
