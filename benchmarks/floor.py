"""How near is a large logistic fit to what the machine could do at best?

`python -m benchmarks.floor [--rows 500000] [--columns 50]` measures floors first: reading the table once (the better
of a sum and a product with a vector), X'WX by BLAS (the better of dsyrk and dgemm), and an exponential a row. Then the
parts of `lossopt.solve`, each beside the floor of its work: a table of part, seconds, floor and ratio.
"""

import argparse
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import blas

from benchmarks._timing import seconds
from benchmarks.contests._tables import binary
from lossopt import border, losses, models
from lossopt.compiling import SOONER
from lossopt.data import Dataset
from lossopt.solve import solve
from lossopt.solve._descent import Cost
from lossopt.solve._design import blocked_design, Design, SPARSELY
from lossopt.solve._point import start_at, visit
from lossopt.solve._traits import traits


class Floors(NamedTuple):
    """Seconds: of reading the table once, of X'WX, and of an exponential a row."""

    read: float
    squares: float
    exps: float


class Part(NamedTuple):
    """A part of the work, the floor that it is compared with, and how that is put together."""

    run: Callable[[], Any]
    floor: float
    made_of: str


def floors(x: np.ndarray, repeats: int) -> tuple[Floors, dict[str, float]]:
    """The floors, and the measurements that they are the best of."""
    ones, scores = np.ones(x.shape[1]), np.linspace(-5, 5, len(x))
    table, vector, row = jax.device_put((x, ones, scores))
    multiply, add, exp = jax.jit(jnp.matmul), jax.jit(jnp.sum), jax.jit(jnp.exp)
    weighted = np.linspace(0.1, 0.25, len(x))[:, None] * x
    found = seconds(
        {
            "read: jnp.sum(X)": lambda: add(table),
            "read: X @ v in JAX": lambda: multiply(table, vector),
            "read: X @ v in NumPy": lambda: x @ ones,
            # The transpose is in Fortran's order already: nothing is copied.
            "squares: dsyrk": lambda: blas.dsyrk(1.0, x.T),
            "squares: dgemm": lambda: x.T @ weighted,
            "exp of n numbers": lambda: exp(row),
        },
        repeats=repeats,
    )
    best = {kind: min(value for name, value in found.items() if name.startswith(kind)) for kind in ("read", "squares")}
    return Floors(best["read"], best["squares"], found["exp of n numbers"]), found


def parts(x: np.ndarray, y: np.ndarray, floor: Floors) -> Mapping[str, Part]:
    """The parts of a solve, compiled."""
    table, targets, share = jax.device_put((x, y, np.full(len(x), 1 / len(x))))
    data, (read, squares, exps) = Dataset(table, targets), floor
    look = functools.partial(blocked_design, l2=jnp.zeros(()), intercept=True, sampled=True, any_rank=False)
    basis = compiled(look)
    # Of the whole the table is a part, and would be copied.
    change = compiled(lambda table, share: look(table, share).change)
    losses_of = compiled(jax.vmap(jax.value_and_grad(lambda score, target: losses.logistic(score, target))))
    visited = functools.partial(compiled(_visit), basis(table, share), targets)
    gradient_only, with_hessian = jnp.asarray(0), jnp.asarray(1)
    scores = jax.device_put(np.ascontiguousarray(x[:, 0]))
    whole = functools.partial(solve, losses.logistic, data, model=models.logistic)
    passes = int(whole().iterations)
    return {
        "checks of the input": Part(lambda: border.checked(losses.logistic, data, models.logistic), read, "read"),
        "the basis": Part(lambda: change(table, share), 2 * read / SPARSELY, "a sample read twice"),
        "n losses and slopes": Part(lambda: losses_of(scores, targets), exps, "an exp each"),
        "a pass for the gradient": Part(lambda: visited(gradient_only), read, "read"),
        "a pass with the Hessian": Part(lambda: visited(with_hessian), read + squares, "read, X'WX"),
        f"the solve, of {passes} passes": Part(whole, read, "one read; some passes are of a sample"),
    }


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled with the options that `solve` is compiled with."""
    return jax.jit(function, compiler_options=SOONER)


def _visit(design: Design, targets: jax.Array, every: jax.Array) -> Any:
    loss = lambda score, target: losses.logistic(score[0], target)  # noqa: E731
    cost = Cost(loss, design, targets, traits(losses.logistic), jnp.asarray(1e-10), jnp.ones(1))
    zero = jnp.zeros((design.penalty.shape[1], 1), design.share.dtype)
    return visit(cost, start_at(cost, zero), zero, jnp.zeros(()), every)


def main() -> None:
    """Print what the machine does, and the profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    (x,), (y,) = binary(1, options.rows, options.columns)
    floor, measured = floors(x, options.repeats)
    print(f"{options.rows} x {options.columns}, float64, {x.nbytes / 1e6:.0f} MB")
    for name, duration in measured.items():
        print(f"{name:28}{1e3 * duration:10.2f} ms{_rate(name, x, duration)}")
    profile = parts(x, y, floor)
    taken = seconds({name: part.run for name, part in profile.items()}, repeats=options.repeats)
    print(f"\n{'part':28}{'ms':>10}{'floor ms':>10}{'ratio':>8}  the floor is of")
    for name, part in profile.items():
        line = f"{name:28}{1e3 * taken[name]:10.2f}{1e3 * part.floor:10.2f}{taken[name] / part.floor:8.2f}"
        print(f"{line}  {part.made_of}")


def _rate(name: str, x: np.ndarray, duration: float) -> str:
    if name.startswith("read"):
        return f"{x.nbytes / duration / 1e9:8.1f} GB/s"
    if name.startswith("exp"):
        return f"{len(x) / duration / 1e6:8.1f} million/s"
    # dsyrk computes one half of the symmetric product.
    operations = x.size * x.shape[1] * (1 if name.endswith("dsyrk") else 2)
    return f"{operations / duration / 1e9:8.1f} GFLOP/s"


if __name__ == "__main__":
    main()
