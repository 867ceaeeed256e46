"""What went wrong, as it is shown: the words of Snakemake and its executors, less noise."""

from __future__ import annotations

import re
from collections.abc import Sequence

# The logs of a failed job follow its error, and are shown as they are.
LOGS = "\nLogfile "
# The rule's own log says what its command did, and `snakemake -p` shows the command.
COMMAND = re.compile(
    r"\n {4}shell:\n.*?\(command exited with non-zero exit code\)", re.DOTALL
)
# Where a cluster refuses a job, its reason is what counts, and it is the same for every job
# and every retry.
REFUSED = re.compile(
    r"message: (?:SLURM sbatch failed\. The error message was"
    r"|Job submission failed with exception:) (.*?)"
    r"\s*(?:\n {4}[a-z ]+:|For further error details|\Z)",
    re.DOTALL,
)
SBATCH = "sbatch: error: "
MEND = "Partition, account and type of GPU are set in profiles/slurm/config.yaml."
COMMAND_GONE = re.compile(r"No such file or directory: 's(batch|acct|info|queue)")
NO_SLURM = "Slurm's commands are not here: start where sbatch and sacct are."
# A job that was told to end says so in its log, and how it goes on.
STOPPED = re.compile(r"^abd: (\w+: stopped by \w+ at .*)$", re.MULTILINE)
# A failed job, or each one of a group, and its logs; the first is the stage's own. Its last
# words, where they are of bad input or the like, are all there is to say.
JOB = re.compile(
    r"^(?:Error in rule| +rule) (\w+):\n(?: {4,}\w+: .*\n)*? +log: ([^\s,]+)", re.MULTILINE
)
SECTION = re.compile(r"^Logfile ([^\n]*):\n=+\n(.*?)\n=+$", re.MULTILINE | re.DOTALL)
# A log that ends in the middle of the work: nothing in the job could say why.
BROKEN_OFF = re.compile(r"^progress [^\n]*\Z", re.MULTILINE)
SAID = re.compile(r"^abd: error: (.*(?:\n {2}.*)*)\s*\Z", re.MULTILINE)
# The error of a job, in Snakemake's own terms, and that it was one: both are told besides.
TOLD = re.compile(
    r"RuleException:\nCalledProcessError in file .*"
    r"(?:returned non-zero exit status \d+|died with <Signals\.\w+: \d+>)\."
    r"|Exiting because a job execution failed\.",
    re.DOTALL,
)
# Where in the rules an error of ours was raised concerns nobody.
PLACE = re.compile(
    r'WorkflowError in file ".*", line \d+:\n|\n +File ".*", line \d+, in .*'
)
ENDED = "it was killed, or took more memory than it may; start again to go on from there"
# Of a job that could not be handed over: a traceback of Snakemake; its error says the same.
IN_VAIN = "Exception in run_job"
# Without an account the Slurm executor guesses, in a way that always fails, and goes on.
GUESSED = ("No account was given, not able to get", "Unable to guess SLURM account.")
NO_ACCOUNT = "no slurm_account is set: jobs run under your cluster's default account"
# A target that neither an experiment nor a stage makes.
MISSING = "MissingRuleException"


# Messages of which one part counts, and what is shown with it.
MESSAGES = (
    (re.compile(r"\ANo SLURM account given, trying to guess\."), NO_ACCOUNT),
    (
        re.compile(rf"\A{MISSING}:\nNo rule to produce (.*) \(if you use input"),
        "{0}: expected an experiment of params.yaml{experiments}, or a file that a stage "
        "makes",
    ),
    # What an experiment lacks, told by a function of the rules.
    (
        re.compile(
            r"\AInputFunctionException in rule .*?AbdError: (.*?)\nWildcards:", re.DOTALL
        ),
        "{0}",
    ),
    # A folder that Snakemake itself cannot write in.
    (
        re.compile(
            r"\ATraceback .*\n(?:PermissionError|OSError): \[Errno \d+\] ([^\n]*): "
            r"'([^\n]*)'\s*\Z",
            re.DOTALL,
        ),
        "{1}: expected to write it, got {0}; make it writable",
    ),
)


def worded(text: str, experiments: Sequence[str] = ()) -> str | None:
    """Return a message as it is to be shown; None where it says nothing new.

    experiments: those that can be asked for; used where `is_missing(text)`.
    """
    if text.startswith((*GUESSED, IN_VAIN)) or TOLD.match(text):
        return None
    for pattern, words in MESSAGES:
        if found := pattern.search(text):
            names = f" ({', '.join(experiments)})" if experiments else ""
            return words.format(*found.groups(), experiments=names)
    return _of_its_log(text) or _shortened(text)


def _shortened(text: str) -> str:
    """A message without command and place in the rules; of a refusal the reason alone."""
    error, logs, rest = text.partition(LOGS)
    error = PLACE.sub("", COMMAND.sub("", error))
    if refused := REFUSED.search(error):
        reason = refused[1].strip("'. ").removeprefix(SBATCH).replace(f"\n{SBATCH}", "; ")
        mend = NO_SLURM if COMMAND_GONE.search(reason) else MEND
        return f"The cluster refuses jobs: {' '.join(reason.split())}. {mend}"
    return f"{error}{logs}{rest}"


def _of_its_log(text: str) -> str | None:
    """What stages said of why they ended, where that is all there is to say."""
    if stopped := STOPPED.search(text):
        return stopped[1]
    logs = dict(SECTION.findall(text))
    lines = []
    for rule, log in JOB.findall(text):
        if said := SAID.search(logs.get(log, "")):
            lines.append(f"{rule} failed: {said[1]} ({log})")
        elif BROKEN_OFF.search(logs.get(log, "")):
            lines.append(f"{rule} failed: {ENDED} ({log})")
    return "\n".join(lines) or None


def is_missing(text: str) -> bool:
    """Whether a message is of a target that is not there."""
    return text.startswith(MISSING)


def concerns_all(text: str) -> bool:
    """Whether a message, as it is shown, holds for the whole run: it is said once."""
    return text == NO_ACCOUNT or text.endswith((MEND, NO_SLURM))
