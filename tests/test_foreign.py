"""Weights from anyone: hostile files are refused in a line, honest ones are read."""

import ast
import re
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from abd.cli import main
from abd.errors import AbdError
from abd.nets import build_net
from abd.seeding import torch_stream
from abd.storage.foreign import read_foreign_net
from tests.hostile import CORPUS, exported

ROOT = Path(__file__).parents[1]
MEMORY = 2 * 2**30  # bytes that reading a file may take, a process of torch included


def network(seed=0):
    return build_net("wrn-10-1", 4, torch_stream(seed, "tests"))


def test_the_corpus_is_large():
    assert len(CORPUS) >= 40


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_files_are_refused_in_one_line(name, tmp_path, capfd):
    marker, net = tmp_path / "marker", network()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = {k: v.clone() for k, v in net.state_dict().items()}
    path = CORPUS[name](tmp_path, network(1).state_dict(), marker)
    with pytest.raises(AbdError) as caught:
        read_foreign_net(path, net)
    said = str(caught.value)
    assert said.startswith(f"{path}: expected ")
    assert said.isprintable()
    assert len(said) < 1000
    assert "weights_only" not in said, "no advice to load it in another way"
    assert not marker.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) in ([path.name], []), "nothing beside"
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert capfd.readouterr().err == ""
    assert not any((folder / "evil").exists() for folder in (tmp_path.parent, Path("/tmp")))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown * 1024 < MEMORY / 4
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MEMORY


def double(weights):
    return {k: v.double() if v.is_floating_point() else v for k, v in weights.items()}


HONEST = {
    "torch.save": torch.save,
    "before torch 1.6": lambda weights, path: torch.save(
        weights, path, _use_new_zipfile_serialization=False
    ),
    "wrapped": lambda weights, path: torch.save(
        {"epoch": 3, "state_dict": weights, "optimizer": {"lr": 0.1}}, path
    ),
    "DataParallel": lambda weights, path: torch.save(
        {f"module.{name}": tensor for name, tensor in weights.items()}, path
    ),
    "parameters": lambda weights, path: torch.save(
        {k: torch.nn.Parameter(v, requires_grad=False) for k, v in weights.items()}, path
    ),
    "double": lambda weights, path: torch.save(double(weights), path),
    "safetensors": save_file,
    "exported, by hand": lambda weights, path: path.write_bytes(exported(weights)),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_files_are_read(name, tmp_path):
    path = tmp_path / ("a.safetensors" if name == "safetensors" else "a.pth")
    weights = network(1).state_dict()
    HONEST[name](weights, path)
    read = read_foreign_net(path, network()).state_dict()
    assert all(torch.equal(read[k], v) for k, v in weights.items())


def test_the_weights_of_an_exported_program_are_read(tmp_path):
    """As torch itself writes it; its program goes unread."""
    path, net = tmp_path / "a.pt2", network(1)
    net.train()(torch.randn(8, 3, 16, 16))  # statistics of its own
    program = torch.export.export(net.eval(), (torch.zeros(2, 3, 16, 16),))
    torch.export.save(program, path)
    read = read_foreign_net(path, network()).state_dict()
    assert all(torch.equal(read[k], v) for k, v in net.state_dict().items())


def test_convert_writes_safetensors_or_says_what_is_wrong(tmp_path, capsys):
    path, out = tmp_path / "teacher.pt", tmp_path / "teacher.safetensors"
    weights = network(1).state_dict()
    torch.save(weights, path)
    command = ["convert", str(path), "--net", "wrn-10-1", "--out", str(out), "--classes"]
    assert main([*command, "5"]) == 1
    assert "linear.bias (4,) instead of (5,)" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "4"]) == 0
    assert capsys.readouterr().out.startswith(f"written: {out}: ")
    assert all(torch.equal(t, weights[k]) for k, t in load_file(out).items())


UNSAFE_MODULES = {
    "pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve",
}  # fmt: skip
# Loaders of torch that run what they load, whatever they are told.
UNSAFE_PARTS = {"load", "jit", "export", "hub", "package"}
UNSAFE_CALLS = {"eval", "exec", "load", "yaml.load", "yaml.full_load", "yaml.unsafe_load"}
SAFE_OPTIONS = {"weights_only": True, "allow_pickle": False}


def unsafe(tree):
    """Where a module could run what a file holds."""
    checked = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "weights_only=True" in ast.unparse(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in UNSAFE_MODULES)
            yield from (a.asname for a in node.names if a.asname and a.name == "torch")
        elif isinstance(node, ast.ImportFrom):
            if node.module in UNSAFE_MODULES:
                yield node.module
            if node.module == "torch":
                yield from (a.name for a in node.names if a.name in UNSAFE_PARTS)
        elif isinstance(node, ast.keyword) and node.arg in SAFE_OPTIONS:
            if ast.unparse(node.value) != str(SAFE_OPTIONS[node.arg]):
                yield ast.unparse(node)
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if (
                name in {f"torch.{part}" for part in UNSAFE_PARTS}
                and id(node) not in checked
            ):
                yield name
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in UNSAFE_CALLS or name.endswith(".read_pickle"):
                yield name


UNSAFE = [
    "import pickle", "from dill import loads", "import _pickle", "torch.load(p)",
    "from torch import load; load(p)", "import torch as t; t.load(p)",
    "f = torch.load; f(p)", "torch.load(p, weights_only=safe)", "torch.jit.load(p)",
    "torch.export.load(p)", "torch.hub.load_state_dict_from_url(u)",
    "np.load(p, allow_pickle=flag)", "yaml.unsafe_load(p)", "pd.read_pickle(p)", "eval(t)",
]  # fmt: skip


@pytest.mark.parametrize("code", UNSAFE)
def test_the_search_finds_what_it_looks_for(code):
    assert list(unsafe(ast.parse(code)))


def test_no_code_of_ours_falls_back_to_unsafe_loading():
    read = 0
    for folder in ("src", "bench", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            found = list(unsafe(ast.parse(path.read_text())))
            assert not found, (path, found)
            read += 1
    assert read > 100
    for path in (ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")):
        assert not re.search(r"pickle|torch|eval\(|exec\(", path.read_text()), path
