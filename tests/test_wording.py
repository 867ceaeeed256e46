"""What a user is shown of an error: all that says something, and no more."""

from logging import WARNING, LogRecord
from types import SimpleNamespace

import pytest

from snakemake_logger_plugin_abd import LogHandler
from snakemake_logger_plugin_abd.wording import MEND, NO_ACCOUNT, NO_SLURM, worded

COMMAND = """
    shell:
        exec abd teacher --config '{"a": 1}'
        (command exited with non-zero exit code)"""
HEAD = """Error in rule teacher:
    message: {message}
    log: logs/teacher.log (check log file(s) for error details)"""
LOG = """
Logfile logs/teacher.log:
=====
progress 1/4
Traceback (most recent call last):
  File "x.py", line 1, in <module>
torch.OutOfMemoryError: CUDA out of memory.
====="""


def test_a_stage_that_crashed_keeps_its_log():
    head = HEAD.format(message="None")
    assert worded(head + COMMAND + LOG) == head + LOG


DETAILS = "For further error details see the cluster/cloud log and the log files."


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition "
            "specified: nowhere\nsbatch: error: Batch job submission failed: Invalid "
            f"partition name specified'.\n    sbatch call:\n        sbatch --wrap abd\n{DETAILS}",
            "invalid partition specified: nowhere; Batch job submission failed: Invalid "
            "partition name specified",
        ),
        (
            "Job submission failed with exception: The given account nobody appears to be "
            f"invalid. Available accounts:\nroot, ml{DETAILS}",
            "The given account nobody appears to be invalid. Available accounts: root, ml",
        ),
    ],
)
def test_what_a_cluster_refuses_is_a_line_that_names_the_place_to_mend_it(message, reason):
    shown = worded(HEAD.format(message=message) + COMMAND + "\nLogfile t.log not found.")
    assert shown == f"The cluster refuses jobs: {reason}. {MEND}"


def test_a_machine_without_slurm():
    error = "[Errno 2] No such file or directory: 'sacct'"
    message = f"Job submission failed with exception: {error}{DETAILS}"
    shown = worded(HEAD.format(message=message) + COMMAND)
    assert shown == f"The cluster refuses jobs: {error[:-1]}. {NO_SLURM}"


def test_a_job_that_was_stopped_says_how_it_goes_on():
    line = "retrospect: stopped by SIGINT at 470/496; start again to go on from there"
    log = f"\nLogfile logs/r.log:\n====\nprogress 470/496\nabd: {line}\n====\n"
    assert worded(HEAD.format(message="None") + COMMAND + log) == line


SAID = "results/x.npz: expected to write it, got No space left on device; make room"


def _log(path, *lines):
    return "\n".join(["", f"Logfile {path}:", "=" * 40, "progress 1/4", *lines, "=" * 40])


def test_what_a_stage_says_is_all_that_is_shown():
    log = _log("logs/teacher.log", f"abd: error: {SAID}")
    head = "[Fri Nov 27]\n" + HEAD.format(message="None")
    shown = f"teacher failed: {SAID} (logs/teacher.log)"
    assert worded(head + COMMAND + log) == shown
    # On a cluster the job has a log of Slurm's besides, with more of Snakemake's.
    head = head.replace("teacher.log", "teacher.log, logs/slurm/1.log")
    of_slurm = _log("logs/slurm/1.log", "Error in rule fetch:", "abd: error: another")
    assert worded(head + COMMAND + log + of_slurm) == shown


def test_a_job_that_was_killed_says_nothing_itself():
    killed = "\n".join(
        ["", "Logfile logs/teacher.log:", "=" * 9, "progress 3/4  x", "=" * 9]
    )
    assert worded(HEAD.format(message="None") + COMMAND + killed) == (
        "teacher failed: it was killed, or took more memory than it may; start again to go on "
        "from there (logs/teacher.log)"
    )


def test_a_stage_that_said_it_and_then_crashed_keeps_its_log():
    crashed = _log("logs/teacher.log", f"abd: error: {SAID}", "Traceback (most recent", "x")
    assert worded(HEAD.format(message="None") + COMMAND + crashed).endswith(crashed)


def test_jobs_of_a_group_are_named_one_by_one():
    """As Snakemake words it: a log of the group, and those of its jobs."""
    head = """[Fri Nov 27]
    message: For further error details see the cluster/cloud log.
    log: logs/slurm/2.log (check log file(s) for error details)
    jobs:
        rule poison:
            jobid: 1
            output: results/poison/x/poisoned.npz
            log: logs/poison/x.log (check log file(s) for error details)
        rule fetch:
            jobid: 2
            log: logs/fetch.log (check log file(s) for error details)"""
    logs = [
        _log("logs/slurm/2.log", "abd: error: of whom?"),
        _log("logs/poison/x.log", f"abd: error: {SAID}"),
        _log("logs/fetch.log", "done"),
    ]
    assert worded(head + "".join(logs)) == f"poison failed: {SAID} (logs/poison/x.log)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'RuleException:\nCalledProcessError in file "a.smk", line 33:\nCommand \'set -e;\n'
            "exec abd' returned non-zero exit status 1.",
            None,
        ),
        (
            "RuleException:\nCalledProcessError in file \"a.smk\", line 3:\nCommand 'exec abd' died "
            "with <Signals.SIGKILL: 9>.",
            None,
        ),
        ("Exiting because a job execution failed. Look above for error messages", None),
        (
            'InputFunctionException in rule pubfig in file "/a/report.smk", line 9:\nError:\n  '
            "AbdError: experiment pubfig cannot run\n  pubfig: expected one of\nWildcards:\n\n"
            "Traceback:\n  File x",
            "experiment pubfig cannot run\n  pubfig: expected one of",
        ),
        (
            'Traceback (most recent call last):\n\n  File "x.py", line 1\nPermissionError: [Errno '
            "13] Permission denied: 'results/a/b.npz'\n",
            "results/a/b.npz: expected to write it, got Permission denied; make it writable",
        ),
        ("No SLURM account given, trying to guess.", NO_ACCOUNT),
        ("Unable to guess SLURM account. Trying to proceed without.", None),
        (
            'WorkflowError in file "/a/common.smk", line 73:\nparams.yaml: 1 problem(s)\n  a: '
            'expected b\n  File "/a/common.smk", line 73, in <module>',
            "params.yaml: 1 problem(s)\n  a: expected b",
        ),
        (
            "MissingRuleException:\nNo rule to produce demoo (if you use input functions make",
            "demoo: expected an experiment of params.yaml, or a file that a stage makes",
        ),
        ("Exception in run_job for rule teacher: x\nTraceback (most recent", None),
        (
            "Traceback (most recent call last):\n  a\nKeyError: 'b'",
            "Traceback (most recent call last):\n  a\nKeyError: 'b'",
        ),
        (
            "WorkflowError:\nAt least one job did not complete",
            "WorkflowError:\nAt least one job did not complete",
        ),
    ],
)
def test_single_messages(text, shown):
    assert worded(text) == shown


def test_a_target_that_is_not_there_is_told_of_those_that_are():
    text = "MissingRuleException:\nNo rule to produce tabel1 (if you use input functions"
    shown = worded(text, ["demo", "table1"])
    assert "expected an experiment of params.yaml (demo, table1), or a file" in shown


def test_what_is_true_of_the_whole_run_is_said_once(capsys):
    settings = SimpleNamespace(nocolor=True, dryrun=False)
    handler = LogHandler(settings, None)
    refusal = HEAD.format(message="Job submission failed with exception: no. ")
    for text in ("No SLURM account given, trying to guess.", refusal, "a", "a") * 2:
        handler.emit(LogRecord("snakemake", WARNING, __file__, 1, text, (), None))
    said = capsys.readouterr().err.splitlines()
    assert said == [NO_ACCOUNT, f"The cluster refuses jobs: no. {MEND}", *"aaaa"]
