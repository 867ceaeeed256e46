"""What a cluster refuses is said in one line, and what was done stays."""

import pytest

from snakemake_logger_plugin_abd.wording import NO_ACCOUNT
from tests.cluster.conftest import METRICS, PROFILE

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("resource", "line"),
    [
        ("slurm_partition=nowhere", "invalid partition specified: nowhere; Batch"),
        ("slurm_account=nobody", "The given account nobody appears to be invalid"),
        ("gpu_model=h900", "Requested node configuration is not available"),
    ],
)
def test_wrong_settings_of_the_profile(small, slurm, resource, line):
    """What Slurm says, and where to mend it; neither traceback nor the job's command."""
    done = small.run(
        "snakemake", *PROFILE, "--set-resources", "teacher:gpu=1",
        "--default-resources", resource, "mem_mb=500", "--", METRICS,
        check=False, **slurm.environment,
    )  # fmt: skip
    assert done.returncode == 1
    (refusal,) = [said for said in done.stderr.splitlines() if line in said]
    assert refusal.startswith("The cluster refuses jobs: ")
    assert refusal.endswith("set in profiles/slurm/config.yaml.")
    assert "Error in rule" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "abd teacher --config" not in done.stderr


def test_a_profile_without_an_account(small, slurm):
    """Said once, and jobs run: this cluster's default account takes them."""
    done = small.run("snakemake", *PROFILE, "--", METRICS, **slurm.environment)
    said = [row for row in done.stderr.splitlines() if "account" in row.lower()]
    assert said == [NO_ACCOUNT]
    assert (small.folder / METRICS).is_file()
