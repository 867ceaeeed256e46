"""What bars on a terminal say of time."""

from rich.progress import Progress

from snakemake_logger_plugin_abd.display import TimeLeft


def _said(*, whole):
    """Of a task of ten rounds, four done at one a second."""
    now = [0.0]
    bars = Progress(get_time=lambda: now[0])
    task = bars.add_task("x", total=10, whole=whole)
    for done in range(1, 5):
        now[0] += 1
        bars.update(task, completed=done)
    return TimeLeft().render(bars.tasks[0]).plain


def test_a_job_says_how_long_it_still_takes():
    assert _said(whole=False) == "0:00:06 left"


def test_a_run_says_how_long_it_ran():
    assert _said(whole=True) == "0:00:04"


def test_a_job_that_has_said_nothing_yet_says_how_long_it_ran():
    bars = Progress(get_time=lambda: 0.0)
    bars.add_task("x", total=None, whole=False)
    assert TimeLeft().render(bars.tasks[0]).plain == "0:00:00"
