"""What went wrong, as it is shown: the words of Snakemake and its executors, less noise."""

from __future__ import annotations

import re

# The rule's own log says what its command did, and `snakemake -p` shows the command.
COMMAND = re.compile(
    r"\n {4}shell:\n.*?\(command exited with non-zero exit code\)", re.DOTALL
)
SBATCH = re.compile(r"\n {4}sbatch call:\n.*?\n(?=\S|$)", re.DOTALL)
TRACEBACK = re.compile(r"\nTraceback \(most recent call last\):\n(?: .*\n)*.*")
# Without an account the Slurm executor guesses, in a way that always fails, and goes on.
GUESSING = "No SLURM account given, trying to guess."
GUESSED = ("No account was given, not able to get", "Unable to guess SLURM account.")
NO_ACCOUNT = "no slurm_account is set: jobs run under your cluster's default account"
REFUSED = ("SLURM sbatch failed", "Job submission failed")
MEND = "Partition, account and type of GPU are set in profiles/slurm/config.yaml."


def worded(text: str) -> str | None:
    """Return a message as it is to be shown; None where it says nothing."""
    if text.startswith(GUESSING):
        return NO_ACCOUNT
    if text.startswith(GUESSED) or text.startswith("Exception in run_job"):
        return None  # the error of the job says the latter again
    short = TRACEBACK.sub("", COMMAND.sub("", text))
    if any(words in short for words in REFUSED):
        short = SBATCH.sub("\n", short)
        short = f"{short.rstrip()}\n{MEND}"
    return short
