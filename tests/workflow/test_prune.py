"""`abd prune` finds what a dropped cell leaves, and nothing else."""

import pytest
import yaml

from tests.workflow.conftest import GRID, with_grid
from tests.workflow.test_demo import KEY


def _files(workflow):
    folders = (workflow.folder / name for name in ("results", "reports"))
    return {
        str(path.relative_to(workflow.folder))
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_every_experiment_asks_for_stays(copied):
    assert copied.run("abd", "prune").stdout.startswith("nothing to prune")


def test_a_dropped_defense(copied):
    path = copied.folder / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("      - abd\n", ""))
    assert path.read_text() != text
    copied.snakemake()
    before = _files(copied)
    listed = copied.run("abd", "prune").stdout.splitlines()
    assert _files(copied) == before, "without --yes nothing is deleted"
    assert "abd prune --yes deletes them" in listed[-1]
    gone = set(listed[:-1])
    stages = {path.split("/")[1] for path in gone}
    assert stages == {"vaccine", "score", "distill", "retrospect", "evaluate"}
    assert f"results/distill/{KEY}/searched/student.safetensors" in gone
    assert not {path for path in gone if "/plain/" in path}

    copied.run("abd", "prune", "--yes")
    assert _files(copied) == before - gone
    assert not (copied.folder / "results/vaccine").exists(), "no empty folder stays"
    assert copied.planned() == {}
    path.write_text(text)
    assert "retrospect_abd" in copied.planned()


def test_an_experiment_that_is_not_in_run_keeps_its_outputs(copied):
    other = {"title": "other", "grids": [{**GRID, "defenses": ["none"]}]}
    copied.edit({"run": ["other"], "experiments": {"other": other}})
    assert copied.run("abd", "prune").stdout.startswith("nothing to prune")


def test_what_another_params_file_asks_for_stays(copied):
    """Such as that of `make evidence`, laid over params.yaml."""
    path = copied.folder / "params.yaml"
    text = path.read_text()
    (copied.folder / "more.yaml").write_text(text)
    path.write_text(text.replace("      - abd\n", ""))
    listed = copied.run("abd", "prune", "--configfile", "more.yaml").stdout
    assert listed.startswith("nothing to prune")


@pytest.mark.parametrize(("first", "second"), [(0, 5), (5, 0)])
def test_what_any_run_of_the_evidence_asks_for_stays(copied, first, second):
    """Also where a second file lies over the first, with other seeds of the same name."""
    copied.edit(with_grid(seeds=[4]))
    assert "results/evaluate" in copied.run("abd", "prune").stdout
    folder = copied.folder / "reports/evidence"
    folder.mkdir(parents=True)
    for name, seed in (("params", first), ("cpu", second)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(with_grid(seeds=[seed])))
    assert copied.run("abd", "prune").stdout.startswith("nothing to prune")


def test_nothing_is_deleted_while_snakemake_works(copied):
    path = copied.folder / "params.yaml"
    path.write_text(path.read_text().replace("      - abd\n", ""))
    locks = copied.folder / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text("results/x\n")
    before = _files(copied)
    done = copied.run("abd", "prune", "--yes", check=False)
    assert done.returncode == 1
    assert "snakemake --unlock" in done.stderr
    assert _files(copied) == before
