"""What does compiling the whole training loop save, beside the same loop written in Python?

`python -m benchmarks.train [--loss huber] [--rows 1000] [--columns 10] [--steps 1000]` prints seconds of `lossopt.fit`
(compilation apart), of the same optax optimiser in a Python loop around a compiled step, of that loop when it also
keeps what `fit` keeps of every step (the cost, the size of the gradient and of the step), and of PyTorch's eager Adam
where it is installed, and how many times faster ours is. All start from zero and must end at the same cost. Under
squared error `fit` goes through the triangle of the table, and the others through its rows.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks._timing import seconds
from lossopt import losses
from lossopt.cost import cost
from lossopt.data import Dataset
from lossopt.models import linear, Params
from lossopt.train import fit


RATE = 0.05


def in_python(loss: losses.Loss, x: Any, y: Any, steps: int) -> Callable[[], Any]:
    """The loop that everybody writes."""
    optimizer, mean_cost = optax.adam(RATE), cost(loss)

    @jax.jit
    def step(params: Any, state: Any) -> tuple[Any, Any]:
        gradient = jax.grad(lambda p: mean_cost(x @ p[:-1] + p[-1], y))(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    def run() -> Any:
        params = jnp.zeros(x.shape[1] + 1, x.dtype)
        state = optimizer.init(params)
        for _ in range(steps):
            params, state = step(params, state)
        return params

    return run


def with_trace(loss: losses.Loss, x: Any, y: Any, steps: int) -> Callable[[], Any]:
    """The same loop, that keeps what there is to plot: as `fit` does, of a model's weights and bias."""
    optimizer, mean_cost = optax.adam(RATE), cost(loss)

    @jax.jit
    def step(params: Params, state: Any) -> tuple[Any, Any, Any]:
        value, gradient = jax.value_and_grad(lambda p: mean_cost(x @ p.weights + p.bias, y))(params)
        updates, state = optimizer.update(gradient, state, params)
        sizes = optax.tree.norm(gradient), optax.tree.norm(updates)
        return optax.apply_updates(params, updates), state, (value, *sizes)

    def run() -> Any:
        params, trace = linear.init(x.shape[1]), []
        state = optimizer.init(params)
        for _ in range(steps):
            params, state, row = step(params, state)
            trace.append(row)
        return jnp.append(params.weights, params.bias)

    return run


def in_torch(name: str, x: np.ndarray, y: np.ndarray, steps: int) -> Callable[[], Any]:
    """The same in PyTorch, eagerly."""
    import torch

    features, targets = torch.from_numpy(x), torch.from_numpy(y)
    mean_cost = {"huber": torch.nn.HuberLoss, "squared_error": torch.nn.MSELoss}[name]()

    def run() -> Any:
        params = torch.zeros(x.shape[1] + 1, dtype=features.dtype, requires_grad=True)
        optimizer = torch.optim.Adam([params], lr=RATE)
        for _ in range(steps):
            optimizer.zero_grad()
            mean_cost(features @ params[:-1] + params[-1], targets).backward()
            optimizer.step()
        return params.detach().numpy()

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loss", choices=["huber", "squared_error"], default="huber")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.rows, options.columns))
    y = x @ np.linspace(-1, 1, options.columns) + rng.standard_t(2, size=options.rows)
    on_device, optimizer, loss = jax.device_put((x, y)), optax.adam(RATE), losses.get(options.loss)

    def ours() -> Any:
        found = fit(loss, Dataset(*on_device), optimizer=optimizer, num_steps=options.steps).params
        return jnp.append(found.weights, found.bias)

    runs = {
        "lossopt.fit": ours,
        "optax in a Python loop": in_python(loss, *on_device, options.steps),
        "that loop, with a trace": with_trace(loss, *on_device, options.steps),
    }
    try:
        runs["PyTorch, eager"] = in_torch(options.loss, x, y, options.steps)
    except ImportError:
        print("PyTorch is not installed: left out.")
    start = time.perf_counter()
    jax.block_until_ready(ours())
    first = time.perf_counter() - start
    ends = {name: np.asarray(run()) for name, run in runs.items()}
    costs = {name: float(cost(loss)(x @ end[:-1] + end[-1], y)) for name, end in ends.items()}
    np.testing.assert_allclose(list(costs.values()), costs["lossopt.fit"], rtol=1e-6)
    taken = seconds(runs, repeats=options.repeats)
    print(f"{options.steps} steps of Adam under {options.loss}, {options.rows} x {options.columns}")
    print(f"Compilation takes {first:.2f} s.")
    for name, duration in taken.items():
        print(f"{name:26}{1e3 * duration:10.2f} ms{duration / taken['lossopt.fit']:8.1f}")


if __name__ == "__main__":
    main()
