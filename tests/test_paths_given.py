"""Paths in params.yaml that can be none: one line each, as for files that are not there."""

from pathlib import Path

import pytest
import yaml

from abd.config.plan import make_plan
from abd.config.sections import merge
from abd.data.own import describe_own, load_own
from abd.errors import AbdError, printable

ODD = ["a" * 300, "x/" * 3000, "a\0b", "a\nb", "\udcff", "\x1b[31m"]
PARAMS = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text("utf-8"))


@pytest.mark.parametrize("path", ODD, ids=lambda path: printable(path)[:5])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        (lambda path: {"patches": {"photos": ["china", path]}}, "patches.photos: expected china or flower, or a file, got "),
        (lambda path: {"poison": {"assets": {"blend": path}}}, "poison.assets.blend.pattern: expected a file, got "),
        (lambda path: {"fetch": {"by_dataset": {"digits": {"path": path}}}}, "fetch.by_dataset.digits.path: "),
    ],
    ids=["photo", "asset", "data"],
)  # fmt: skip
def test_planning_names_the_key(path, place, message):
    with pytest.raises(AbdError) as caught:
        make_plan(merge(PARAMS, place(path)))
    _, *lines = str(caught.value).split("\n")
    assert len(lines) == 1
    assert lines[0].strip().startswith(message)
    assert lines[0].isprintable()


@pytest.mark.parametrize("path", ODD, ids=lambda path: printable(path)[:5])
def test_there_are_no_data_at_odd_paths(path):
    for read in (lambda p: describe_own(p, None), lambda p: load_own(p, 16, resize=False)):
        with pytest.raises(AbdError, match=r"expected an \.npz file.*, got") as caught:
            read(Path(path))
        assert str(caught.value).isprintable()
