"""Working checkpoints: what a running job goes on from after it was stopped or killed.

The last two are kept, each with a checksum over all that it holds: where the newer one is
torn or was damaged, the one before it is used.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from abd.errors import DamagedError
from abd.state import State
from abd.storage.checkpoints import read_state, write_state
from abd.storage.files import remove_all_unfinished

KEY, MARKS, SHA256 = "key", "marks", "sha256"  # noted here, beside a state's own values


class WorkingCheckpoints:
    """The working checkpoints of one job, in a folder of their own.

    `key` is the job's: checkpoints of other params, code or inputs are not taken. A state
    that is marked is kept under its name besides, until the job is done.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self.latest = folder / "checkpoint.safetensors"
        self.before = folder / "checkpoint-before.safetensors"
        self._marks: list[str] = []

    def save(self, state: State) -> None:
        """Keep `state` as the latest, and the one that was it as the one before."""
        if self.latest.is_file():
            self.latest.replace(self.before)
        self._write(self.latest, state)

    def load(self) -> tuple[State | None, list[str]]:
        """Return the latest state that can be gone on from, and why newer ones cannot.

        The files of those go. Without a usable one there is nothing to go on from. Raises
        AbdError where one cannot be read at all, which may pass.
        """
        remove_all_unfinished(self.folder)
        complaints = []
        for path in (self.latest, self.before):
            if not path.is_file():
                continue
            try:
                state, marks = self._read(path)
                for name in marks:
                    self._read(self._marked(name))
            except DamagedError as error:  # not where it could not be read: that may pass
                complaints.append(str(error))
                path.unlink()
                continue
            self._marks = marks
            return state, complaints
        self._clear()
        return None, complaints

    def mark(self, name: str, state: State) -> None:
        """Keep `state` under a name."""
        self._write(self._marked(name), state)
        self._marks = [*self._marks, name]

    def marked(self, name: str) -> State:
        """Return the state that was marked; DamagedError where it is no longer whole."""
        return self._read(self._marked(name))[0]

    def clear(self) -> None:
        """Delete all of them: the results are written."""
        self._marks = []
        self._clear()

    def _clear(self) -> None:
        for path in self.folder.glob("*.safetensors"):
            path.unlink()

    def _marked(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _write(self, path: Path, state: State) -> None:
        values = {**state.values, KEY: self.key, MARKS: self._marks}
        noted = State(state.tensors, values)
        write_state(path, State(noted.tensors, {**values, SHA256: _digest(noted)}))

    def _read(self, path: Path) -> tuple[State, list[str]]:
        """A state and its marks; DamagedError where it is not this job's, or not whole."""
        state = read_state(path)
        expected, actual = str(state.values.pop(SHA256, None)), _digest(state)
        if expected != actual:
            raise DamagedError(
                f"{path}: damaged: expected sha256 {expected[:12]} as it was written, got "
                f"{actual[:12]}"
            )
        if state.values.pop(KEY) != self.key:
            raise DamagedError(f"{path} is of other params, code or inputs")
        return state, state.values.pop(MARKS)


def _digest(state: State) -> str:
    """SHA-256 of a state's values, and of its tensors' names, types, shapes and bytes."""
    digest = hashlib.sha256(json.dumps(state.values, sort_keys=True).encode())
    for name in sorted(state.tensors):
        tensor = state.tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
