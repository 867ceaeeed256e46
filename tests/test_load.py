"""What a params file may look like, and what is said of one that does not."""

import pytest

from abd.config import load_params
from abd.errors import AbdError


@pytest.fixture
def load(tmp_path):
    """A function that reads a params file with this text."""

    def read(text):
        path = tmp_path / "params.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_params(path)

    return read


def _lines(load, text):
    with pytest.raises(AbdError) as caught:
        load(text)
    head, *lines = str(caught.value).splitlines()
    return lines or [head.partition("params.yaml: ")[2]]


def test_anchors_and_merge_keys_are_what_yaml_says(load):
    text = "a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  y: 3\n"
    assert load(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run: 1\nrun: 2\n", "run: expected this key once, got it in lines 1 and 2"),
        ("a:\n  - b: 1\n    b: 2\n    b: 3\n", "a.0.b: expected this key once, got it in lines 2, 3 and 4"),
        ("teacher:\n  1: 2\n", 'teacher: expected text for a key, got 1 in line 2; write "1"'),
        ("null: 2\n", 'params: expected text for a key, got null in line 1; write "null"'),
        ("a: {on: 2}\n", 'a: expected text for a key, got on in line 1; write "on"'),
        ("? [a, b]\n: 3\n", "params: expected text for a key, got a list in line 1"),
        ("a: &a\n- *a\n", "a.0: expected a value, got an alias of what it is in (line 1)"),
        ("a: &a {<<: *a}\n", "a.<<: expected a value, got an alias of what it is in (line 1)"),
    ],
)  # fmt: skip
def test_what_yaml_allows_and_params_do_not(load, text, line):
    assert [found.strip() for found in _lines(load, text)] == [line]


def test_all_of_it_is_named_at_once(load):
    lines = _lines(load, "a: 1\na: 2\nb: {c: 1, c: 2, 3: 4}\n")
    assert [line.split(":")[0].strip() for line in lines] == ["a", "b", "b.c"]


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (b"a: \xff\n", "a byte that is not UTF-8 at position 3"),
        ("a: [\n", "an error in line 2: expected the node content"),
        ("a: *b\n", "an error in line 1: found undefined alias 'b'"),
        ("a: 1\n---\nb: 2\n", "an error in line 2: but found another document"),
        ("b: 1\na: 2026-13-45\n", "an error in line 2: '2026-13-45' cannot be read as timestamp"),
        ("a: !!bool x\n", "an error in line 1: 'x' cannot be read as bool"),
        ("a: !!python/name:os.system x\n", "an error in line 1: could not determine a constructor"),
        ("a: " + "1" * 5000, "an error in line 1: '111"),
        ("a: 0x" + "f" * 5000, "an error in line 1: '0xfff"),
        ("a: \0\n", "unacceptable character"),
        ("[" * 3000, "lists or mappings nested too deeply"),
    ],
)  # fmt: skip
def test_text_that_is_no_yaml_is_one_short_line(load, text, got):
    (line,) = _lines(load, text)
    assert line.startswith(f"expected a YAML file, got {got}")
    assert len(line) < 350


@pytest.mark.parametrize(
    ("text", "got"), [("", "nothing"), ("- 1\n", "list"), ("3", "int")]
)
def test_params_are_a_mapping(load, text, got):
    assert _lines(load, text) == [f"expected a mapping of sections, got {got}"]


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(AbdError, match=r"no\.yaml: expected a YAML file, got No such file"):
        load_params(tmp_path / "no.yaml")
    with pytest.raises(AbdError, match="expected a YAML file, got Is a directory"):
        load_params(tmp_path)
