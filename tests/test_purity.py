"""The mathematics stays apart: no tracking, no workflow, no global random state."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "abd"
APART = {  # orchestration, input and output; all else is mathematics
    "__main__", "cli", "commands", "compiler", "config", "digest", "provenance", "purify",
    "report", "stages", "storage",
}  # fmt: skip
BELOW = {
    "data": set(),
    "storage": {"compiler", "data"},
    "config": {"data", "digest", "storage"},
    "provenance": {"config", "storage"},
    "stages": {"config", "data", "digest", "storage"},
    "report": {"config", "provenance", "storage"},
    "purify": {"config", "data", "report", "stages", "storage"},
}
HEAVY = ["snakemake", "dvc", "mlflow", "pydantic", "yaml", "rich", "matplotlib", "jinja2"]


# torchvision's ResNets are torchvision's: whoever asks for one has it.
WITH_TORCHVISION = PACKAGE / "nets" / "resnet.py"
FOREIGN = PACKAGE / "nets" / "foreign.py"  # seeds the global stream for networks of others
PURE_FILES = sorted(
    file
    for file in PACKAGE.rglob("*.py")
    if Path(file.relative_to(PACKAGE).parts[0]).stem not in APART
)
DRAWING = {  # without a generator of their own, from the global stream
    "bernoulli", "bernoulli_", "exponential_", "multinomial", "normal", "normal_", "poisson",
    "rand", "randint", "randn", "randperm", "random_", "uniform_", "_standard_gamma",
}  # fmt: skip
TORCH = {"torch", "nn.init", "torch.nn.init"}
NEVER = {  # they take none
    "cuda", "dropout", "manual_seed_all", "rand_like", "randint_like", "randn_like", "seed",
}  # fmt: skip


def _python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


def test_pure_modules_import_with_torch_and_numpy_alone():
    """Everything else is made impossible to import."""
    modules = [
        "abd."
        + ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        for file in PURE_FILES
        if file != WITH_TORCHVISION
    ]
    blocked = [*HEAVY, "sklearn", "PIL", "torchvision", "safetensors"]
    done = _python(
        f"import sys\nfor name in {blocked}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules}: importlib.import_module(name)"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["--help", "teacher --help"])
def test_help_imports_no_torch(command):
    done = _python(
        "import sys\nfrom abd.cli import main\n"
        f"try: main({command.split()})\nexcept SystemExit: pass\n"
        "assert not {'torch', 'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    assert done.returncode == 0, done.stderr


def test_planning_imports_no_torch():
    done = _python(
        "import sys\nfrom pathlib import Path\nfrom abd.config import load_plan\n"
        "from abd.config.jobs import job_spec\nplan = load_plan(Path('params.yaml'))\n"
        "cell = plan.wanted()[0]\n"
        "w = {k: str(v) for k, v in vars(cell).items()}\n"
        "job_spec(plan, 'retrospect', w)\n"
        "assert not {'torch', 'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", PURE_FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_global_state_in(file):
    """No .cuda(), no global seeding; every random draw names its generator."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, ast.unparse(node.func.value)
        given = {keyword.arg for keyword in node.keywords}
        where = f"line {node.lineno}: {owner}.{name}"
        assert name not in NEVER, where
        assert owner != "random", where
        assert (owner, name) != ("torch", "manual_seed") or file == FOREIGN, where
        # Of a NumPy generator `random` and the like are methods: torch's alone are meant.
        if name in DRAWING and (owner in TORCH or name.endswith("_")):
            assert "generator" in given, where
        if owner == "np.random":
            assert name in {"RandomState", "SeedSequence", "default_rng"}, where
            assert node.args, f"{where}: without a seed it takes the clock's"


def _imported(file):
    """The parts of abd that a module imports; the table of the stages' names is anybody's."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            own = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name for name in own if name != "abd.stages.STAGES"]
        yield from (name.split(".")[1] for name in names if name.startswith("abd."))


@pytest.mark.parametrize("package", BELOW)
def test_a_package_imports_those_below_it_alone(package):
    """And mathematics."""
    imported = {
        part for file in (PACKAGE / package).rglob("*.py") for part in _imported(file)
    }
    assert imported & {*APART, *BELOW} <= BELOW[package] | {package}


def test_mathematics_imports_nothing_but_mathematics():
    """What names the compiler is no mathematics; it is all that is needed of it."""
    files = [file for file in PURE_FILES if file.parent != PACKAGE / "data"]
    assert {part for file in files for part in _imported(file)} & APART <= {"compiler"}


def test_modules_stay_short():
    long = {
        str(f.relative_to(PACKAGE)): n
        for f in PACKAGE.rglob("*.py")
        if (n := len(f.read_text().splitlines())) > 250
    }
    assert not long
