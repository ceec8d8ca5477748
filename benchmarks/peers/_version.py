"""A peer's version of a loss: how to evaluate it on a batch, and by what it differs from ours.

A `Version` is in the peer's own convention: `ours = factor * theirs + constant`. Its derivatives are those that the
peer itself gives: by its automatic differentiation, or by its analytic formulas where it has no other.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from mpmath import mpf

from benchmarks.truth import Orders


Settings = Mapping[str, Any]
Call = Callable[..., Any]


def _any(settings: Settings) -> bool:
    return True


def _nothing(target: Any, settings: Settings) -> mpf:
    return mpf(0)


class Version(NamedTuple):
    """One loss in one library.

    Attributes:
        loss: our name of it.
        function: its public name, with what has to be done around it.
        call: predictions, targets and our hyperparameters -> one number a row, for a batch of legal shapes.
        orders: the same and its derivatives, for the extreme grid.
        takes: whether it has these hyperparameters.
        factor: f in `ours = f * theirs + constant`, which may depend on the hyperparameters.
        constant: what it leaves out, from the exact target and the hyperparameters.
        raw: what its users call with a batch, if that is not `call`.
        hard: it has targets of 0 and 1 alone where ours also may lie between.
        tensors: `call` on the library's own arrays, where it does not take NumPy's or JAX's.
    """

    loss: str
    function: str
    call: Call
    orders: Callable[[Settings, np.ndarray, np.ndarray], Orders]
    takes: Callable[[Settings], bool] = _any
    factor: float | Callable[[Settings], float] = 1.0
    constant: Callable[[Any, Settings], mpf] = _nothing
    raw: Call | None = None
    hard: bool = False
    tensors: Call | None = None

    @property
    def library(self) -> str:
        """The library that it is in."""
        return self.function.split(".")[0]

    def scale(self, settings: Settings) -> float:
        """The factor at these hyperparameters."""
        return self.factor(settings) if callable(self.factor) else self.factor


def by_jax(call: Call) -> Callable[[Settings, np.ndarray, np.ndarray], Orders]:
    """Value, gradient and Hessian of a function of one example in JAX, compiled."""

    def orders(settings: Settings, predictions: np.ndarray, targets: np.ndarray) -> Orders:
        def one(p: jax.Array, t: jax.Array) -> jax.Array:
            return call(p, t, **settings)

        def three(p: jax.Array, t: jax.Array) -> tuple[jax.Array, ...]:
            return *jax.value_and_grad(one)(p, t), jax.jacfwd(jax.grad(one))(p, t)

        # In single precision as most users have it: some libraries mix the two where double precision is on.
        with jax.enable_x64(predictions.dtype == np.float64):
            return exactly(*jax.jit(jax.vmap(three))(predictions, targets))

    return orders


def by_torch(call: Call) -> Callable[[Settings, np.ndarray, np.ndarray], Orders]:
    """Value, gradient and Hessian of a batch by torch.autograd, one backward pass for each column of the gradient."""

    def orders(settings: Settings, predictions: np.ndarray, targets: np.ndarray) -> Orders:
        import torch

        x = torch.tensor(predictions, requires_grad=True)
        value = call(x, torch.tensor(targets), **settings)
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        return exactly(value.detach(), slope.detach(), _torch_hessian(slope, x))

    return orders


def _torch_hessian(slope: Any, x: Any) -> Any:
    """None where torch has no second derivative."""
    import torch

    columns = slope.reshape(len(x), -1).T
    try:
        return torch.stack([_torch_slope(column, x).reshape(len(x), -1) for column in columns], 1)
    except RuntimeError as error:
        if "not implemented" in str(error):
            return None
        raise


def _torch_slope(column: Any, x: Any) -> Any:
    import torch

    if not column.requires_grad:
        return torch.zeros_like(x)
    (found,) = torch.autograd.grad(column.sum(), x, retain_graph=True, allow_unused=True)
    return torch.zeros_like(x) if found is None else found


def by_formula(
    value: Call, slope: Call | None = None, curvature: Call | None = None
) -> Callable[[Settings, np.ndarray, np.ndarray], Orders]:
    """Functions of whole arrays; an order without one is not compared."""

    def orders(settings: Settings, predictions: np.ndarray, targets: np.ndarray) -> Orders:
        with np.errstate(all="ignore"):
            found = [f and f(predictions, targets, **settings) for f in (value, slope, curvature)]
            return exactly(*(_within(order, predictions.dtype) for order in found))

    return orders


def _within(found: Any, dtype: Any) -> Any:
    """A number in double precision that is beyond the range of the inputs' dtype is the infinity that it would be."""
    if found is None:
        return None
    found = np.asarray(found, float)
    return np.where(np.abs(found) > np.finfo(dtype).max, np.sign(found) * np.inf, found)


def row_by_row(call: Call) -> Call:
    """A function of a batch out of one that averages: a batch of one row at a time; NaN for a row that it refuses."""

    def one(p: Any, t: Any, settings: Settings) -> float:
        try:
            return float(call(p[None], t[None], **settings))
        except ValueError:
            return math.nan

    def rows(predictions: np.ndarray, targets: np.ndarray, /, **settings: Any) -> np.ndarray:
        return np.array([one(p, t, settings) for p, t in zip(predictions, targets, strict=True)])

    return rows


def exactly(value: Any, slope: Any, curvature: Any) -> Orders:
    """The numbers as float64, which holds those of every dtype compared."""
    found = [None if order is None else np.asarray(order).astype(float) for order in (value, slope, curvature)]
    return Orders(value=found[0], reverse=found[1], forward=None, curvature=found[2], other_curvature=None)
