"""Why results are stale: other params, other code, or an input that was made anew."""

import pytest

from abd.config.jobs import JobSpec
from abd.provenance.staleness import reasons

INPUTS = {"a/x.npz": "1", "b/y.npz": "2"}
RECORD = {"config": {"epochs": 3}, "code": "c", "inputs": INPUTS}
SPEC = JobSpec('{"epochs": 3}', "c")
OTHER_PARAMS, OTHER_CODE = JobSpec('{"epochs": 4}', "c"), JobSpec('{"epochs": 3}', "d")


@pytest.mark.parametrize(
    ("specs", "now", "found"),
    [
        ([SPEC], INPUTS, []),
        ([OTHER_PARAMS, SPEC], INPUTS, []),
        ([], INPUTS, []),
        ([SPEC], {}, []),  # nothing is known of the inputs
        ([OTHER_PARAMS], INPUTS, ["made with other params than are planned now"]),
        ([OTHER_CODE], INPUTS, ["made with other code than are planned now"]),
        ([SPEC], {**INPUTS, "b/y.npz": "3"}, ["made from another b/y.npz"]),
        (
            [OTHER_CODE],
            {"a/x.npz": "0", "b/y.npz": "3"},
            [
                "made from another a/x.npz, b/y.npz",
                "made with other code than are planned now",
            ],
        ),
    ],
)
def test_reasons(specs, now, found):
    assert reasons(RECORD, specs, now.get) == found
