"""torch's global random streams, from which networks of a user's own may draw (dropout).

abd itself draws from named streams alone. These begin with the job's seed, and go on where
they were in a job that was stopped.
"""

from __future__ import annotations

import torch

from abd.seeding import torch_stream
from abd.state import State

KEY = "global_stream"


def begin(seed: int, stage: str) -> None:
    """Begin the streams of a job anew."""
    torch.manual_seed(torch_stream(seed, stage, "global").initial_seed())


def save(state: State) -> None:
    """Put the places where the streams are into a state: the CPU's, and the job's GPU's."""
    places = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        places["cuda"] = torch.cuda.get_rng_state()
    state.put(KEY, places)


def take(state: State) -> dict[str, torch.Tensor]:
    """Take the places out of a state; none of one that was saved without."""
    places = state.get(KEY)
    for name in places:
        del state.tensors[f"{KEY}/{name}"]
    return places


def go_on(places: dict[str, torch.Tensor]) -> None:
    """Set the streams to places that `take` returned, on whichever GPU the job has now."""
    if "cpu" in places:
        torch.set_rng_state(places["cpu"])
    if "cuda" in places:
        torch.cuda.set_rng_state(places["cuda"])
