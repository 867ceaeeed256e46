import pytest
import torch

from abd.hypergradient import hypergradient
from abd.losses import mean_kl


def _quadratic(stream):
    """inner(w, t) = w'Aw/2 - w'Bt, so w* = A^-1 B t; outer(w, t) = |w - c|^2/2 + t'd."""
    a = torch.randn(4, 4, generator=stream, dtype=torch.float64)
    a = a @ a.T / 4 + torch.eye(4, dtype=torch.float64)
    b, c, d = (
        torch.randn(s, generator=stream, dtype=torch.float64) for s in ((4, 3), 4, 3)
    )
    t = torch.randn(3, generator=stream, dtype=torch.float64, requires_grad=True)
    return a, b, c, d, t


def _estimate(a, b, c, d, t, n_terms, step=0.1, tol=0.0):
    w = torch.linalg.solve(a, b @ t.detach()).requires_grad_()
    outer = (w - c).square().sum() / 2 + t @ d
    inner = w @ a @ w / 2 - w @ b @ t
    (slope,) = torch.autograd.grad(inner, w, create_graph=True)
    return hypergradient(outer, w - step * slope, w, [t], n_terms, tol)[0]


def test_converges_to_the_closed_form(stream):
    a, b, c, d, t = _quadratic(stream)
    w = torch.linalg.solve(a, b @ t.detach())
    exact = d + b.T @ torch.linalg.solve(a, w - c)
    assert torch.allclose(_estimate(a, b, c, d, t, 400), exact, atol=1e-8)


@pytest.mark.parametrize("n_terms", [1, 2, 5])
def test_is_the_truncated_neumann_series(n_terms, stream):
    a, b, c, d, t = _quadratic(stream)
    w = torch.linalg.solve(a, b @ t.detach())
    jacobian = torch.eye(4, dtype=torch.float64) - 0.1 * a
    v = sum(torch.linalg.matrix_power(jacobian, j) @ (w - c) for j in range(n_terms))
    assert torch.allclose(_estimate(a, b, c, d, t, n_terms), d + 0.1 * b.T @ v, atol=1e-10)


def test_stops_early_within_the_tolerance(stream):
    problem = _quadratic(stream)
    assert torch.allclose(
        _estimate(*problem, 400, tol=1e-6), _estimate(*problem, 400), atol=1e-4
    )


def test_needs_at_least_one_term(stream):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        _estimate(*_quadratic(stream), 0)


def test_agrees_with_finite_differences_on_a_small_student(stream):
    """Differentiate the outer loss through the converged inner solution, numerically."""
    x = torch.randn(8, 3, generator=stream, dtype=torch.float64)
    theta = torch.randn(3, 4, generator=stream, dtype=torch.float64)

    def logits(theta, delta):
        return torch.tanh(x + delta) @ theta

    def inner_loss(theta, delta):  # strongly convex in delta, as l2 is large
        p, q = logits(theta, torch.zeros(3)).softmax(1), logits(theta, delta).log_softmax(1)
        return 2.0 * delta.square().sum() + (p * q).sum(1).mean() + delta.sum()

    def solve(theta):
        delta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        for _ in range(400):
            (g,) = torch.autograd.grad(inner_loss(theta, delta), delta)
            delta = (delta - 0.1 * g).detach().requires_grad_()
        return delta

    def outer_loss(theta, delta):
        return logits(theta, delta).log_softmax(1)[:, 0].mean()

    param = theta.clone().requires_grad_()
    delta = solve(theta)
    (slope,) = torch.autograd.grad(inner_loss(param, delta), delta, create_graph=True)
    (ours,) = hypergradient(
        outer_loss(param, delta), delta - 0.1 * slope, delta, [param], n_terms=400
    )
    eps = 1e-5
    for i, j in ((0, 0), (1, 2), (2, 3)):
        shift = torch.zeros_like(theta)
        shift[i, j] = eps
        up, down = (outer_loss(t, solve(t)) for t in (theta + shift, theta - shift))
        assert ours[i, j].item() == pytest.approx(
            ((up - down) / (2 * eps)).item(), rel=1e-4, abs=1e-8
        )


def _smooth_student(stream):
    """A small tanh network with all its parameters in one vector, in double precision."""
    shapes = [(6, 8), (6,), (3, 6)]
    sizes = [torch.Size(s).numel() for s in shapes]
    theta = torch.randn(sum(sizes), generator=stream, dtype=torch.float64)

    def student(theta, x):
        w, b, v = (p.view(s) for p, s in zip(theta.split(sizes), shapes, strict=True))
        return torch.tanh(x @ w.T + b) @ v.T

    return student, theta


def test_agrees_with_finite_differences_on_a_smooth_student(stream):
    """The universal perturbation solved to the end, then the outer loss's slope measured."""
    student, theta = _smooth_student(stream)
    x = torch.randn(5, 8, generator=stream, dtype=torch.float64)
    start = 0.1 * torch.randn(8, generator=stream, dtype=torch.float64)

    def inner(delta, theta):
        return delta.square().sum() - mean_kl(
            student(theta, x).detach(), student(theta, x + delta + 0.5)
        )

    def phi(delta, theta):
        (slope,) = torch.autograd.grad(inner(delta, theta), delta, create_graph=True)
        return delta - 0.1 * slope

    def solved(theta):
        delta = start.clone()
        for _ in range(400):
            delta = phi(delta.requires_grad_(), theta).detach()
        return delta

    def outer(delta, theta):
        return mean_kl(student(theta, x).detach(), student(theta, x + delta))

    delta, leaf = solved(theta).requires_grad_(), theta.clone().requires_grad_()
    (ours,) = hypergradient(outer(delta, leaf), phi(delta, leaf), delta, [leaf], 400)
    frozen = student(theta, x)  # the clean answers count as a constant in both losses

    def value(theta):
        d = start.clone()
        for _ in range(400):
            d.requires_grad_()
            loss = d.square().sum() - mean_kl(frozen, student(theta, x + d + 0.5))
            d = (d - 0.1 * torch.autograd.grad(loss, d)[0]).detach()
        return mean_kl(frozen, student(theta, x + d)).item()

    eps = 1e-5
    for i in range(0, len(theta), 7):
        step = torch.zeros_like(theta)
        step[i] = eps
        slope = (value(theta + step) - value(theta - step)) / (2 * eps)
        assert ours[i].item() == pytest.approx(slope, rel=1e-4, abs=1e-9)
