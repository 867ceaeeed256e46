"""Reading params.yaml: mappings with text for keys, none of them twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from abd.config.sections import Problems
from abd.config.shown import shown
from abd.errors import AbdError, printable

LARGEST_BITS = 1024  # of a whole number: beyond, it is not even a float
# What PyYAML lets through where a value's text is not of its kind: 2026-13-45, !!bool x.
BAD_VALUE = (ValueError, LookupError, AttributeError, TypeError, OverflowError)


def load_params(path: Path) -> dict[str, Any]:
    """Return the mapping of a params file; AbdError naming the file and all that is wrong.

    Merge keys and aliases are resolved, as YAML has them.
    """
    try:
        raw = _read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        got = error.strerror or str(error)
    except UnicodeDecodeError as error:
        got = f"a byte that is not UTF-8 at position {error.start}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        got = f"an error{where}: {error.problem or error.context}"
    except yaml.YAMLError as error:
        got = " ".join(str(error).split())
    except RecursionError:
        got = "lists or mappings nested too deeply"
    else:
        if isinstance(raw, dict):
            return raw
        kind = "nothing" if raw is None else type(raw).__name__
        raise AbdError(f"{path}: expected a mapping of sections, got {kind}")
    raise AbdError(f"{path}: expected a YAML file, got {printable(got)}")


class _Loader(yaml.SafeLoader):
    """PyYAML's, which says of every bad value where it stands."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build the value of a node; ConstructorError where its text does not allow it."""
        try:
            value = super().construct_object(node, deep)
        except BAD_VALUE:
            value = None
            bad = True
        else:
            bad = isinstance(value, int) and value.bit_length() > LARGEST_BITS
        if bad:
            kind = node.tag.rpartition(":")[2]
            what = f"{shown(node.value)} cannot be read as {kind}"
            raise ConstructorError(None, None, what, node.start_mark)
        return value


def _read(text: str, name: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        problems = Problems()
        for key, what in _wrong(node, (), (), set()):
            problems.note(key or "params", what)
        problems.raise_any(name)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _wrong(
    node: yaml.Node, path: tuple[str, ...], around: tuple[yaml.Node, ...], seen: set[int]
) -> Iterator[tuple[str, str]]:
    """The key and what is wrong there, of all that YAML allows and params do not."""
    if any(node is outer for outer in around):
        line = node.start_mark.line + 1
        yield (
            ".".join(path),
            f"expected a value, got an alias of what it is in (line {line})",
        )
    if id(node) in seen:
        return
    seen.add(id(node))
    around = (*around, node)
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _wrong(item, (*path, str(i)), around, seen)
    elif isinstance(node, yaml.MappingNode):
        yield from _wrong_keys(node, ".".join(path))
        for key, value in node.value:
            yield from _wrong(value, (*path, _text(key)), around, seen)


def _wrong_keys(node: yaml.MappingNode, where: str) -> Iterator[tuple[str, str]]:
    lines = defaultdict(list)
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            lines[key.value].append(line)
        else:
            mend = f'; write "{key.value}"' if isinstance(key, yaml.ScalarNode) else ""
            yield where, f"expected text for a key, got {_text(key)} in line {line}{mend}"
    for name, found in lines.items():
        if len(found) > 1:
            *some, last = map(str, found)
            key = f"{where}.{name}" if where else name
            yield (
                key,
                f"expected this key once, got it in lines {', '.join(some)} and {last}",
            )


def _text(key: yaml.Node) -> str:
    if isinstance(key, yaml.ScalarNode):
        return key.value or "nothing"
    return "a list" if isinstance(key, yaml.SequenceNode) else "a mapping"
