"""What the tests share: small networks, small data, quiet threads."""

import numpy as np
import pytest
import torch

from abd.nets import build_net
from abd.pixels import Normalization
from abd.seeding import numpy_stream, torch_stream


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")


@pytest.fixture
def rng():
    return numpy_stream(0, "tests")


@pytest.fixture
def stream():
    return torch_stream(0, "tests")


@pytest.fixture
def normalize():
    return Normalization((0.3, 0.4, 0.5), (0.2, 0.25, 0.3))


@pytest.fixture
def images(rng):
    """Twelve random images, uint8 (12, 16, 16, 3)."""
    return rng.integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)


@pytest.fixture
def teacher():
    """A frozen WRN-10-1 with random weights and lived-in BatchNorm statistics."""
    net = build_net("wrn-10-1", 4, torch_stream(0, "tests", "teacher"))
    with torch.no_grad():
        net(torch.randn(32, 3, 16, 16, generator=torch_stream(0, "tests", "warm-up")))
    return net.eval().requires_grad_(False)


@pytest.fixture
def student():
    return build_net("wrn-10-1", 4, torch_stream(0, "tests", "student"))
