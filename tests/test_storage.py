import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from abd.data import build_dataset
from abd.errors import AbdError
from abd.history import Record
from abd.nets import build_net
from abd.state import State
from abd.storage.arrays import read_arrays, read_dataset, write_arrays, write_dataset
from abd.storage.checkpoints import (
    read_net,
    read_state,
    read_tensors,
    write_net,
    write_state,
)
from abd.storage.files import (
    read_json,
    remove_all_unfinished,
    remove_unfinished,
    replacing,
    sha256,
    write_json,
)
from abd.storage.pictures import read_picture, write_picture
from abd.storage.records import check_artifact, write_record
from abd.storage.results import read_curve, read_history, write_history


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_json(path, [1])

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert read_json(path) == [1]
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_replaced(make, tmp_path):
    path = tmp_path / "out"
    make(path)
    with pytest.raises(AbdError, match="expected to write it, got something there that is"):
        write_json(path, 1)
    assert path.exists()
    assert not path.is_file()


def test_a_place_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x", tmp_path / ("x" * 300)):
        with pytest.raises(
            AbdError, match=r"expected to write it, got .*; give it another"
        ):
            write_json(path, 1)


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "a[1].json"
    left = [tmp_path / name for name in (".a[1].json.abcdefgh", ".b.json.abcdefgh")]
    names = ("a[1].json", "x.a[1].json", ".a[1].json", ".a1.json.abcdefgh")
    others = [tmp_path / name for name in names]
    for file in (*left, *others):
        file.touch()
    remove_unfinished(path)
    assert set(tmp_path.iterdir()) == {left[1], *others}
    remove_all_unfinished(tmp_path)
    assert set(tmp_path.iterdir()) == set(others[:3])


def test_files_are_readable_by_others(tmp_path):
    write_json(tmp_path / "a.json", 1)
    plain = tmp_path / "b"
    plain.write_text("")
    assert (tmp_path / "a.json").stat().st_mode == plain.stat().st_mode


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))


def test_same_content_same_bytes(tmp_path, stream):
    tensors = {f"t{i}": torch.randn(3, generator=stream) for i in range(9)}
    arrays = {k: v.numpy() for k, v in tensors.items()}
    for name in "ab":
        write_state(tmp_path / f"{name}.safetensors", State(tensors, {"x": 1, "y": [2, 3]}))
        write_arrays(tmp_path / f"{name}.npz", **arrays)
        tensors = dict(reversed(tensors.items()))
    assert sha256(tmp_path / "a.safetensors") == sha256(tmp_path / "b.safetensors")
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


def test_states_go_round(tmp_path):
    net = build_net("wrn-10-1", 4)
    optimizer = torch.optim.Adam(net.parameters(), 0.1)
    net(torch.ones(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    state = State(values={"position": 3})
    state.put_net("net", net)
    state.put_optimizer("opt", optimizer)
    write_state(tmp_path / "s", state)
    loaded = read_state(tmp_path / "s")
    assert loaded.values == {"position": 3}
    other = build_net("wrn-10-1", 4)
    fresh = torch.optim.Adam(other.parameters(), 0.1)
    loaded.get_net("net", other)
    loaded.get_optimizer("opt", fresh)
    for optim, network in ((optimizer, net), (fresh, other)):
        network.zero_grad()
        network(torch.ones(2, 3, 16, 16)).sum().backward()
        optim.step()
    assert all(
        torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True)
    )


def test_weights_go_round(tmp_path):
    net = build_net("wrn-10-1", 4)
    write_net(tmp_path / "w", net)
    other = read_net(tmp_path / "w", build_net("wrn-10-1", 4))
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("linear.bias"), "linear.bias missing"),
        (lambda t: t.update(more=torch.zeros(1)), "more extra"),
        (
            lambda t: t.update({"linear.bias": torch.zeros(5)}),
            r"linear.bias \(5,\) instead of \(4,\)",
        ),
        (
            lambda t: t["linear.bias"].fill_(float("nan")),
            "expected finite weights, got NaN or inf in linear.bias",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, message):
    net = build_net("wrn-10-1", 4)
    tensors = {k: v.clone() for k, v in net.state_dict().items()}
    change(tensors)
    save_file(tensors, tmp_path / "w")
    with pytest.raises(AbdError, match=message):
        read_net(tmp_path / "w", net)


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\xff" * 100])
def test_files_that_are_no_tensors_are_one_line(tmp_path, content):
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(AbdError, match="expected a safetensors file"):
        read_tensors(tmp_path / "w")


def test_arrays_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        write_arrays(tmp_path / "a.npz", a=np.array([{}], object))


def test_data_sets_go_round(tmp_path):
    data = build_dataset("digits")
    write_dataset(tmp_path / "d.npz", data)
    again = read_dataset(tmp_path / "d.npz")
    assert again.class_names == data.class_names
    assert np.array_equal(again.x_test, data.x_test)
    assert set(read_arrays(tmp_path / "d.npz")) == {
        "x_train",
        "y_train",
        "x_test",
        "y_test",
        "class_names",
    }


def test_histories_go_round(tmp_path):
    write_history(tmp_path / "h", [Record(1, {"loss": 0.5}), Record(2, {"acc": 1.0})])
    assert read_history(tmp_path / "h") == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "acc": 1.0},
    ]
    assert (
        tmp_path / "h"
    ).read_text() == '{"loss": 0.5, "step": 1}\n{"acc": 1.0, "step": 2}\n'


def test_curves_join_where_a_stage_went_on(tmp_path):
    for name, steps in (("a", [1, 2]), ("b", [4, 6, 8]), ("c", [7, 8]), ("d", [])):
        write_history(tmp_path / name, [Record(s, {name: 0.0}) for s in steps])
    curve = read_curve(tmp_path / name for name in "abcd")
    assert [p["step"] for p in curve] == [1, 2, 4, 6, 7, 8]
    assert "c" in curve[-1]


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("results", "out.bin")
    path.parent.mkdir()
    path.write_bytes(b"0123456789")
    source = tmp_path / "in.bin"
    source.write_bytes(b"in")
    write_record(
        "teacher",
        config={"a": 1},
        code="c",
        inputs={"x": source},
        outputs={"y": path},
        facts={"rounds": 2},
        planned={"commit": "abc", "params": None},
        key="k",
    )
    return path


def test_a_record_tells_what_made_an_artifact(artifact, tmp_path):
    record = json.loads((artifact.parent / "record.json").read_text())
    assert record["stage"] == "teacher"
    assert record["config"] == {"a": 1}
    assert record["facts"] == {"rounds": 2}
    assert record["inputs"] == {str(tmp_path / "in.bin"): sha256(tmp_path / "in.bin")}
    assert record["outputs"] == {"out.bin": sha256(artifact)}
    assert record["versions"]["torch"].startswith(torch.__version__.split("+")[0])


@pytest.mark.parametrize("place", range(10))
def test_any_flipped_bit_is_found(artifact, place):
    assert check_artifact(artifact) == sha256(artifact)
    content = bytearray(artifact.read_bytes())
    content[place] ^= 4
    artifact.write_bytes(content)
    with pytest.raises(
        AbdError, match=r"out\.bin: damaged: .* written by rule teacher, .* snakemake -R"
    ):
        check_artifact(artifact)


def test_a_missing_artifact_names_how_it_is_made(tmp_path):
    with pytest.raises(
        AbdError, match=r"gone: expected an artifact, got no file; make it anew with"
    ):
        check_artifact(tmp_path / "gone")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"outputs": ',
        b"[]",
        b"\xff",
        b'{"outputs": {}}',
        b'{"outputs": []}',
        b'{"outputs": {"out.bin": 3}, "stage": "x"}',
    ],
)
def test_a_damaged_record_is_one_line(artifact, content):
    (artifact.parent / "record.json").write_bytes(content)
    with pytest.raises(AbdError, match=r"record\.json: damaged .* snakemake -R"):
        check_artifact(artifact)


@pytest.mark.parametrize("content", [b"[]", b"half a fi", b'{"epoch": 3}'])
def test_a_record_of_somebody_else_s_is_none(tmp_path, content):
    """It lies beside a file that was given, as of a teacher or of photographs."""
    given = tmp_path / "teacher.pt"
    given.write_bytes(b"weights")
    (tmp_path / "record.json").write_bytes(content)
    assert check_artifact(given) == sha256(given)


@pytest.mark.parametrize("read", [read_json, read_history, read_arrays, read_tensors])
@pytest.mark.parametrize("content", [None, b"half a fi"])
def test_files_that_are_missing_or_cut_are_one_line(tmp_path, read, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AbdError, match="file: expected a"):
        read(path)


@pytest.mark.parametrize("size", [16, 24, 70])
def test_pictures_are_read_as_they_were_written(tmp_path, rng, size):
    images = rng.integers(0, 256, (2, 3, size, size, 3)).astype(np.uint8)
    write_picture(tmp_path / "sheet.png", images)
    read = read_picture(tmp_path / "sheet.png", n_rows=2)
    factor = read.shape[2] // size
    assert np.array_equal(read, images.repeat(factor, axis=2).repeat(factor, axis=3))
    with pytest.raises(AbdError, match=r"sheet\.png: expected 3 rows of square images"):
        read_picture(tmp_path / "sheet.png", n_rows=3)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "sheet.png").write_text("no picture")
    with pytest.raises(AbdError, match=r"sheet\.png: expected a picture, got"):
        read_picture(tmp_path / "sheet.png", n_rows=2)
