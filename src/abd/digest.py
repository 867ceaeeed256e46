"""The digest of the code that shapes a job's numbers.

Taken over the source of the stage's module and of every abd module it imports, without
comments, docstrings, layout, and what errors and jobs say; not over storage, reports,
monitors or registries. So a comment re-runs nothing, and a new trigger re-runs nothing old.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
# What cannot change a number: input/output, display, and the tables of names.
NOT_NUMERIC = (
    "abd",
    "abd.cli",
    "abd.compiler",
    "abd.config",
    "abd.data",
    "abd.digest",
    "abd.errors",
    "abd.history",
    "abd.monitor",
    "abd.nets",
    "abd.provenance",
    "abd.registry",
    "abd.report",
    "abd.sources",
    "abd.stages",
    "abd.stages.drive",
    "abd.stages.forward",
    "abd.stages.gpu",
    "abd.stages.job",
    "abd.stages.memory",
    "abd.stages.sampling",
    "abd.stages.watch",
    "abd.storage",
    "abd.triggers",
)
# With all that is below them.
WHOLLY = ("abd.config", "abd.provenance", "abd.report", "abd.storage")


def code_digest(stage: str, members: Iterable[dict[str, str]] = ()) -> str:
    """Digest of the stage `stage` with the registry members it uses.

    `members` are `Registry.identity` mappings: a module of abd's counts with all it
    imports, a plug-in by its name and version.
    """
    plugins = [member["plugin"] for member in members if "plugin" in member]
    modules = [member["module"] for member in members if "plugin" not in member]
    return _digest_of(frozenset([f"abd.stages.{stage}", *modules]), tuple(plugins))


@cache  # a plan asks for the same few, thousands of times
def _digest_of(roots: frozenset[str], plugins: tuple[str, ...]) -> str:
    lines = [f"{module} {_module_digest(module)}" for module in _closure(roots)]
    return hashlib.sha256("\n".join(sorted([*plugins, *lines])).encode()).hexdigest()[:16]


def report_digest() -> str:
    """Digest of the code and the templates that write the reports.

    Of the modules outside `abd.report`, those count that decide what a report shows: which
    cells, from which files, joined how.
    """
    modules = ["abd.config.cells", "abd.config.paths", "abd.storage.results"]
    lines = []
    for path in sorted((PACKAGE / "report").iterdir()):
        if path.suffix == ".py":
            modules.append(f"abd.report.{path.stem}")
        elif path.suffix in (".html", ".css"):
            lines.append(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    lines += [f"{module} {_module_digest(module)}" for module in modules]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def is_module(name: str) -> bool:
    """Whether abd has a module of this name."""
    return re.fullmatch(r"abd(\.\w+)*", name) is not None and _path(name) is not None


def _closure(roots: Iterable[str]) -> set[str]:
    """The numeric modules that `roots` import, directly or not, and themselves."""
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        todo.extend(m for m in _imports(module) if _is_numeric(m))
    return seen


def _is_numeric(module: str) -> bool:
    return module not in NOT_NUMERIC and not module.startswith(
        tuple(f"{name}." for name in WHOLLY)
    )


@cache
def _tree(module: str) -> ast.Module:
    path = _path(module)
    assert path is not None, f"{module}: no such module"
    return ast.parse(path.read_text())


def _path(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(module: str) -> frozenset[str]:
    return frozenset(_imported(_tree(module)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("abd."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("abd"):
            assert node.module is not None
            yield node.module
            for alias in node.names:  # `from abd.x import y`: y may be a module itself
                if _path(f"{node.module}.{alias.name}"):
                    yield f"{node.module}.{alias.name}"


@cache
def _module_digest(module: str) -> str:
    return hashlib.sha256(canonical(_tree(module)).encode()).hexdigest()


def canonical(tree: ast.Module) -> str:
    """What a module does, without its words: the same text in every version of Python.

    Its words are docstrings, what `say` shows, and what is in an error that is raised.
    `ast.unparse` and `ast.dump` write the same module differently from one to the next.
    """
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.Raise) and _called(node.exc).endswith("Error"):
            node.exc = ast.Name(_called(node.exc), ast.Load())
        elif isinstance(node, ast.Expr) and _called(node.value) == "say":
            node.value = ast.Constant(None)
    return _written(tree)


def _called(node: ast.AST | None) -> str:
    """The name of the function or class that a node calls; "" where it calls none."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.id if isinstance(function, ast.Name) else ""


def _written(value: object) -> str:
    if isinstance(value, ast.JoinedStr):  # some versions see an empty piece at an end
        pieces = [v for v in value.values if not _is_empty(v)]
        return f"JoinedStr({_written(pieces)})"
    if isinstance(value, ast.AST):
        # Newer versions' nodes have more fields, empty where the older can say the same.
        fields = [(k, v) for k, v in ast.iter_fields(value) if v is not None and v != []]
        inside = ",".join(f"{name}={_written(field)}" for name, field in fields)
        return f"{type(value).__name__}({inside})"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    return repr(value)


def _is_empty(piece: ast.expr) -> bool:
    return isinstance(piece, ast.Constant) and piece.value == ""
