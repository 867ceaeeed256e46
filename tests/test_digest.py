import ast
import hashlib
import shutil

import pytest

from abd import digest
from abd.registry import Registry

OOD = {"module": "abd.sources.ood"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose sources may be edited."""
    copy = tmp_path / "abd"
    shutil.copytree(digest.PACKAGE, copy)
    monkeypatch.setattr(digest, "PACKAGE", copy)
    _forget()
    yield copy
    _forget()


def _forget():
    for cached in vars(digest).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


def _after(package, file, old, new, stage="distill", members=(OOD,)):
    """The digests of a stage, distill with ood, before and after an edit."""
    before = digest.code_digest(stage, members)
    path = package / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _forget()
    return before, digest.code_digest(stage, members)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("losses.py", "/ p_logits.shape[1]", "/ 2 / p_logits.shape[1]"),
        ("distillation.py", "self.position += 1", "self.position += 2"),
        ("sources/ood.py", "self.cutmix_beta, stream", "2 * self.cutmix_beta, stream"),
        ("sources/pool.py", "self.crop_pad, stream", "1 + self.crop_pad, stream"),
        ("stages/distill.py", '"warm" in job.inputs', '"cold" in job.inputs'),
        ("stages/distilling.py", "except ValueError as error", "except KeyError as error"),
    ],
)
def test_numeric_code_counts(package, file, old, new):
    before, after = _after(package, file, old, new)
    assert before != after


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("losses.py", '"""Divergences', '"""Distances'),
        ("losses.py", "import torch.nn", "# a comment\n\nimport torch.nn"),
        ("sources/clean.py", "self.alpha * self.tau", "self.tau"),
        ("retrospection.py", "s.map_step * slope", "s.map_step + slope"),
        ("monitor.py", "counts.acc", "counts.asr"),
        ("storage/checkpoints.py", "contiguous()", "contiguous().clone()"),
        ("metrics.py", "== test.target", "!= test.target"),
        ("config/sources/ood.py", "super().scaled", "super() .scaled"),
        ("config/sources/clean.py", "max(1, ", "max(2, "),
        ("triggers/patch.py", "margin=1", "margin=2"),
        ("report/table.py", "100 *", "1000 *"),
        ("stages/drive.py", "120.0", "60.0"),
        ("distillation.py", "expected a finite loss", "expected a loss that is finite"),
        ("stages/distilling.py", "params.yaml: vaccine.", "in params.yaml: vaccine."),
        ("stages/load.py", "takes up to a minute", "takes a minute at most"),
        ("compiler.py", "no command", "no such command"),
        ("config/schema.py", "ge=16", "ge=17"),
    ],
)
def test_what_shapes_no_number_of_this_job_does_not(package, file, old, new):
    before, after = _after(package, file, old, new)
    assert before == after


@pytest.mark.parametrize(
    ("stage", "file", "old", "new", "counts"),
    [
        ("teacher", "metrics.py", "== test.target", "!= test.target", True),
        ("teacher", "training.py", "self.position += 1", "self.position += 2", True),
        ("teacher", "shuffling.py", "total / len", "total * len", False),
        ("teacher", "monitor.py", "counts.acc", "counts.asr", False),
        ("teacher", "sources/base.py", "repeats: int = 1", "repeats: int = 2", False),
        ("evaluate", "metrics.py", "== test.target", "!= test.target", True),
        ("evaluate", "losses.py", ".sum(dim=1)", ".mean(dim=1)", False),
        ("harden", "adversarial.py", "self.step *", "2 * self.step *", True),
        ("harden", "training.py", "self.position += 1", "self.position += 2", True),
        ("harden", "losses.py", ".sum(dim=1)", ".mean(dim=1)", False),
        ("teacher", "adversarial.py", "self.step *", "2 * self.step *", False),
        ("poison", "adversarial.py", "self.step *", "2 * self.step *", False),
        ("poison", "triggers/patch.py", "margin=1", "margin=2", False),
        ("patches", "patches.py", "math.sqrt(2)", "math.sqrt(3)", True),
        ("patches", "losses.py", ".sum(dim=1)", ".mean(dim=1)", False),
    ],
)
def test_a_stage_is_concerned_by_its_own_code(package, stage, file, old, new, counts):
    before, after = _after(package, file, old, new, stage, [])
    assert (before != after) == counts


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("report/table.py", "100 *", "1000 *", True),
        ("report/page.css", "--soft: #5b6470", "--soft: #000000", True),
        ("storage/results.py", "curve = [p for p", "curve += [p for p", True),
        ("config/paths.py", "paths.insert(0", "paths.insert(1", True),
        ("config/cells.py", "-s{{seed}}", "-{{seed}}", True),
        ("report/table.py", '"""The table of', '"""A table of', False),
        ("config/schema.py", "ge=16", "ge=17", False),
        ("losses.py", "/ p_logits.shape[1]", "/ 2 / p_logits.shape[1]", False),
    ],
)
def test_what_shapes_a_report_counts_for_it(package, file, old, new, counts):
    before = digest.report_digest()
    path = package / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _forget()
    assert (digest.report_digest() != before) == counts


def test_a_trigger_counts_where_it_is_used(package):
    patch = [{"module": "abd.triggers.patch"}]
    before, after = _after(
        package, "triggers/patch.py", "margin=1", "margin=2", "poison", patch
    )
    assert before != after
    before, after = _after(package, "triggers/noise.py", "2167", "2168", "poison", patch)
    assert before == after


def test_another_member_gives_another_digest():
    clean = {"module": "abd.sources.clean"}
    assert digest.code_digest("distill", [OOD]) != digest.code_digest("distill", [clean])


def test_a_plugin_counts_by_its_version():
    versions = [{"module": "x", "plugin": f"theirs {v}"} for v in (1, 2)]
    a, b = (digest.code_digest("distill", [OOD, v]) for v in versions)
    assert a != b


def test_registry_names_a_plugin(monkeypatch):
    from importlib.metadata import EntryPoint

    from abd.errors import AbdError

    point = EntryPoint("mine", "theirs.module:factory", "abd.test")
    monkeypatch.setattr("abd.registry.entry_points", lambda group: [point])
    registry = Registry("thing", "abd.test", {"ours": "abd.losses:mean_kl"})
    assert registry.names() == ["mine", "ours"]
    assert registry.target("mine") == "theirs.module:factory"
    assert registry.identity("mine")["plugin"] == "unknown"
    assert registry.load("ours").__name__ == "mean_kl"
    with pytest.raises(AbdError, match="thing: expected one of mine, ours, got 'other'"):
        registry.target("other")
    clash = Registry("thing", "abd.test", {"mine": "a:b"})
    with pytest.raises(AbdError, match="mine already built in"):
        clash.names()


SAID = '''
"""A docstring."""

class A:
    def f(self, *, x: int = 0) -> str: ...

def g(a, /, *b, **c):
    # a comment
    if (n := len(b)) > 1:
        return f"{a['k']!r:>{n}} {c.get('x', '') + 'y'} {{}}"
    say(f"{n} of them")
    if a is None:
        raise AbdError(f"{b}: expected more", a)
    match a:
        case {"k": [1, *_]} | None:
            return lambda y=1.50: {**c, y: [z for z in b if not z]}
'''


def test_the_same_code_has_the_same_digest_in_every_python():
    """On another machine's Python the results that were pulled are as current as here."""
    written = digest.canonical(ast.parse(SAID))
    assert hashlib.sha256(written.encode()).hexdigest()[:16] == "fcc657d5b671c3ea"
