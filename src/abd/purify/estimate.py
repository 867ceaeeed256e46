"""What a purification takes, said before it starts: jobs, time, memory."""

from __future__ import annotations

import json

from abd.config import Plan
from abd.config.jobs import job_spec
from abd.config.lengths import Lengths, lengths, pool_size
from abd.config.memory import memory_mb
from abd.config.schema import Settings
from abd.config.stage_jobs import StageJob, stage_jobs
from abd.purify.options import EXPERIMENT, NAME
from abd.purify.timing import Seconds, measure


def estimate(plan: Plan) -> str:
    """The jobs of a plan, with the memory that each may take, and about the seconds.

    The seconds follow from some rounds of the networks themselves, taken here and now.
    """
    (cell,) = plan.wanted(EXPERIMENT)
    settings = plan.settings[NAME]
    jobs = list(stage_jobs(cell))
    retrospect = next(job for job in jobs if job.stage == "retrospect")
    config = json.loads(job_spec(plan, "retrospect", retrospect.wildcards).config)
    brief, shares = settings.distill.of(cell.source).brief()
    config |= {"settings": brief.arguments(), "vaccine": settings.vaccine.model_dump()}
    quick = plan.top.numerics.of("distill")
    took = measure(config, quick, len(shares), pool_size(settings, cell.source))
    by_job = seconds_of(took, shares, lengths(settings, cell.source), settings, cell.source)
    lines = [f"{len(jobs)} jobs on {config['numerics']['device']}:"]
    total, most = 0.0, 0
    for job in jobs:
        seconds = by_job.get(_name(job), 0.0)
        memory = memory_mb(job.stage, settings, job.wildcards)
        total, most = total + seconds, max(most, memory)
        lines.append(f"  {_name(job):18} {_duration(seconds):>12}  up to {memory} MB")
    lines.append(f"one after the other about {_duration(total)}, up to {most} MB at a time")
    lines.append("not counted: a minute or two of process starts, patches and the verdict")
    return "\n".join(lines)


def seconds_of(
    took: Seconds, shares: tuple[float, ...], long: Lengths, s: Settings, source: str
) -> dict[str, float]:
    """By job, what its rounds take; `shares` are those of each kind in an epoch.

    A run begins with rounds of the first kind: those of the surrogate stage are counted so.
    """
    plain, guarded, retrospected = (
        sum(share * second for share, second in zip(shares, own, strict=True))
        for own in (took.plain, took.guarded, took.retrospected)
    )
    cached = (long.warm - long.skip) * s.distill.of(source).cached()
    return {
        "surrogate": long.warm * took.plain[0],
        "vaccine": cached * took.searched,
        "distill plain": long.total * plain - long.warm * took.plain[0],
        "distill searched": long.total * guarded - long.warm * took.guarded[0],
        "retrospect": (long.total - long.lambda_) * retrospected,
    }


def _name(job: StageJob) -> str:
    return f"{job.stage} {job.wildcards.get('guard', '')}".strip()


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "a moment"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
