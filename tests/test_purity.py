"""The mathematics stays apart: no tracking, no workflow, no global random state."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "abd"
PURE = [
    "triggers", "poisoning", "nets", "training", "losses", "sources", "distillation",
    "shuffling", "vaccine", "hypergradient", "retrospection", "metrics", "surrogate", "state", "optim",
    "schedules", "adversarial", "augment", "pixels", "seeding", "patches", "data", "activation",
]  # fmt: skip
HEAVY = ["snakemake", "dvc", "mlflow", "pydantic", "yaml", "rich", "matplotlib", "jinja2"]


def _files(name):
    path = PACKAGE / name
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


# torchvision's ResNets are torchvision's: whoever asks for one has it.
WITH_TORCHVISION = PACKAGE / "nets" / "resnet.py"
PURE_FILES = [file for name in PURE for file in _files(name)]


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
    tree = ast.parse(file.read_text())
    drawing = {
        "rand",
        "randn",
        "randint",
        "randperm",
        "normal_",
        "uniform_",
        "_standard_gamma",
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        assert name not in {"cuda", "seed", "manual_seed_all"}, f"line {node.lineno}"
        owner = ast.unparse(node.func.value)
        if name in drawing and owner in {"torch", "nn.init"}:
            assert any(k.arg == "generator" for k in node.keywords), f"line {node.lineno}"
        assert not owner.startswith("np.random") or name in {
            "RandomState",
            "default_rng",
            "permutation",
        }


def test_modules_stay_short():
    long = {
        str(f.relative_to(PACKAGE)): n
        for f in PACKAGE.rglob("*.py")
        if (n := len(f.read_text().splitlines())) > 250
    }
    assert not long
