"""Mutated params.yaml: each is a plan whose every job can be told what to do, or an error."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abd.config import load_params, make_plan
from abd.config.asked import asked_jobs
from abd.config.sections import merge
from abd.errors import AbdError, printable

ROOT = Path(__file__).parents[1]
HEAD = re.compile(r"(?:/.*/)?params\.yaml: (\d+) problem\(s\); nothing was started")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([-1, 0, 1, 2**63, 1e308, "", "digits", "wrn-16-2", "a/b", "../x", "1e-3"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def small_params():
    """params.yaml with one experiment, on the digits alone."""
    params = load_params(ROOT / "params.yaml")
    params["experiments"] = {"demo": params["experiments"]["demo"]}
    for section in params.values():
        if isinstance(section, dict) and "by_dataset" in section:
            own = section["by_dataset"]
            section["by_dataset"] = {k: v for k, v in own.items() if k == "digits"}
    return params


PARAMS = small_params()


def places(node):
    """Every (container, key) below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, dict | list):
            yield from places(value)


@st.composite
def mutated(draw):
    """The text of params.yaml after some edits of its tree, and perhaps one of its text."""
    params = copy.deepcopy(PARAMS)
    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(list(places(params)) or [(params, "run")]))
        match draw(st.sampled_from(["replace", "delete", "rename", "copy", "add"])):
            case "replace":
                container[key] = draw(values)
            case "delete":
                del container[key]
            case "rename" if isinstance(container, dict):
                container[draw(st.text(max_size=8)) or f"{key}s"] = container.pop(key)
            case "copy":
                other, name = draw(st.sampled_from(list(places(params))))
                container[key] = copy.deepcopy(other[name])
            case _ if isinstance(container, dict):
                container[draw(st.text(min_size=1, max_size=8))] = draw(values)
    text = yaml.safe_dump(params, allow_unicode=True)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.text(max_size=3)) + text[at + draw(st.integers(0, 3)) :]
    return text


@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=mutated())
def test_a_plan_or_an_error_that_lists_every_problem(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    try:
        plan = make_plan(load_params(path))
    except AbdError as error:
        first, *rest = str(error).splitlines()
        if head := HEAD.fullmatch(first):
            assert int(head[1]) == len(rest) > 0
            assert all(line.startswith("  ") and ": " in line for line in rest)
        else:
            assert first.startswith(f"{path}: expected ")
            assert not rest
        assert all(line == printable(line) for line in (first, *rest))
    else:
        assert asked_jobs([plan]) or not any(plan.cells.values())


BROKEN = {  # key: its edit
    "poison.rate": {"poison": {"rate": 2}},
    "teacher.lr": {"teacher": {"lr": "fast"}},
    "vaccine.members": {"vaccine": {"members": 0}},
    "retrospect.rounds": {"retrospect": {"rounds": -3}},
    "numerics.device": {"numerics": {"device": "tpu"}},
    "distill.guard.nothing": {"distill": {"guard": {"nothing": 1}}},
    "experiments.demo.title": {"experiments": {"demo": {"title": 3}}},
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(keys=st.sets(st.sampled_from(sorted(BROKEN)), min_size=1))
def test_every_value_that_is_wrong_by_itself_is_listed(keys):
    params = PARAMS
    for key in keys:
        params = merge(params, BROKEN[key])
    with pytest.raises(AbdError) as caught:
        make_plan(params)
    said = str(caught.value)
    assert {key for key in keys if f"\n  {key}" not in said} == set()
