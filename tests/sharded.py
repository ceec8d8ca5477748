"""Fits with the rows spread over all devices, compared with the same fits on one: run by `test_sharding`.

`python tests/sharded.py automatic|explicit names [address process]`: the axes of the mesh, and the losses to fit,
"fit" for the training loop, "compiled" or "compiled fit" inside a larger programme, or "gram" for a
table of which no device may see more than its own rows; with an address it is one of two processes.
"""

import sys

import jax
import numpy as np
import optax

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve._normal import gram


def main(axes: str, names: str, address: str | None = None, process: str = "0") -> None:
    """Print a line a fit."""
    if address:
        jax.distributed.initialize(address, num_processes=2, process_id=int(process))
    jax.config.update("jax_enable_x64", True)
    print(len(jax.devices()), "devices")
    kind = {"automatic": jax.sharding.AxisType.Auto, "explicit": jax.sharding.AxisType.Explicit}[axes]
    mesh = jax.make_mesh((len(jax.devices()),), ("rows",), axis_types=(kind,))
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))

    def spread(table):
        return jax.make_array_from_callback(table.shape, place, lambda index: table[index])

    rng = np.random.default_rng(0)
    features = rng.normal(size=(800, 4)) + 3
    score = features @ np.linspace(-1, 1, 4)
    score -= score.mean()
    real, label = score + rng.standard_t(2, 800), rng.integers(0, 3, 800)
    binary = (rng.uniform(size=800) < 1 / (1 + np.exp(-score))).astype(float)
    weights = rng.integers(0, 3, 800).astype(float)

    def compare(name, fit, targets):
        if name not in names.split(","):
            return
        whole = data.Dataset(features, targets, weights)
        one, many = fit(whole), fit(jax.tree.map(spread, whole))
        for left, right in zip(jax.tree.leaves(one.params), jax.tree.leaves(many.params), strict=True):
            np.testing.assert_allclose(np.asarray(right), left, rtol=1e-10, atol=1e-10)
        assert int(one.status.code) == int(many.status.code)
        print(name, "agrees")

    for name, targets in (
        ("squared_error", real), ("huber", real), ("tukey", real), ("quantile", real), ("logistic", binary),
        ("hinge", binary), ("softmax_cross_entropy", label),
    ):  # fmt: skip
        model = models.softmax(3) if name.startswith("softmax") else models.linear
        compare(name, lambda d, name=name, model=model: lo.solve(losses.get(name), d, model=model), targets)
    if "gram" in names.split(","):
        basis, weight = rng.normal(size=(3, 80_000)), rng.uniform(size=80_000)
        by_column = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, "rows"))
        given = jax.make_array_from_callback(basis.shape, by_column, lambda index: basis[index]), spread(weight)
        compiled = jax.jit(gram).lower(*given).compile()
        np.testing.assert_allclose(compiled(*given), (weight * basis) @ basis.T, rtol=1e-12)
        assert "all-gather" not in compiled.as_text()
        print("gram agrees")
    compare("fit", lambda d: lo.fit(losses.huber, d, optimizer=optax.adam(0.1), num_steps=30), real)
    compare("compiled", jax.jit(lambda d: lo.solve(losses.huber, d)), real)
    compare("compiled fit", jax.jit(lambda d: lo.fit(losses.huber, d, num_steps=30)), real)
    try:
        lo.solve(losses.logistic, jax.tree.map(spread, data.Dataset(features, real)))
    except ValueError as error:
        print("illegal targets are refused:", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
