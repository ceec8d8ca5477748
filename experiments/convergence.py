"""How fast does training reach the minimum under each loss?

Design. Linear regression (n = 200, d = 5, condition number 30, Student-t noise with 3 degrees of freedom) and logistic
regression (n = 200, d = 5, overlapping classes), 30 data sets each. Every loss is divided by its largest curvature
on the data, so that gradient descent with step 1 is gradient descent with step 1/L for each of them. The optimisers
are gradient descent, Nesterov's momentum (0.9), Adam (0.1) and L-BFGS; the exact minimum comes from the solver. What is
shown is the relative suboptimality (f - f*) / (f0 - f*), median and quartiles over data sets, and the same on
stackloss and biopsy (standardised). Then five cases whose speed theory gives exactly.

Claims. Gradient descent on squared error contracts by 1 - 1/condition a step, heavy-ball momentum at its best
setting by (sqrt(condition) - 1)/(sqrt(condition) + 1). The worst case of gradient descent on Huber's loss,
LR^2/(4N + 2), is attained. Absolute error at a constant step ends in a 2-cycle of the step's size, and at steps 1/sqrt(k) its gap falls
like 1/sqrt(k). On separable data the logistic gap falls like 1/t.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lossopt as lo
from lossopt import data, losses, models, plots, report, trace


REGRESSION = {
    "half_squared_error": losses.half_squared_error,
    "huber": losses.huber,
    "pseudo_huber": losses.pseudo_huber,
    "log_cosh": losses.log_cosh,
}
CLASSIFICATION = {"logistic": losses.logistic, "squared_hinge": losses.squared_hinge}
OPTIMIZERS = {
    "gradient descent": optax.sgd(1.0),
    "momentum": optax.sgd(1.0, momentum=0.9, nesterov=True),
    "adam": optax.adam(0.1),
    "l-bfgs": optax.lbfgs(),
}
LINE = models.without_intercept(models.linear)
POINT = data.Dataset(jnp.ones((1, 1)), jnp.zeros(1))
DECAYING = optax.sgd(lambda k: 0.5 / jnp.sqrt(k + 1))
CONSTANT = optax.sgd(0.3)
PLAIN = OPTIMIZERS["gradient descent"]


def largest_eigenvalue(d: data.Dataset) -> jax.Array:
    """Of X'X/n, the intercept's column included: times the largest curvature of a loss, it is the L of step 1/L."""
    x = jnp.c_[d.features, jnp.ones(d.features.shape[0])]
    return jnp.linalg.eigvalsh(x.T @ x / x.shape[0])[-1]


@functools.cache
def scaled_choice(group: tuple) -> losses.Loss:
    """All losses of a group as one, which compiles once, each times a factor."""
    choice = losses.one_of(*group)
    return lambda prediction, target, *, index, factor: factor * choice(prediction, target, index=index)


def gaps(group: dict, problems: data.Dataset, model: models.Model, optimizer, num_steps: int) -> dict:
    """Relative suboptimality and gradient evaluations, each (losses, problems, steps + 1)."""
    curvature = jnp.array([lo.card(loss).smoothness for loss in group.values()])

    def train(index, d):
        factor = 1 / (curvature[index] * largest_eigenvalue(d))
        loss = lo.bind(scaled_choice(tuple(group.values())), index=index, factor=factor)
        run = lo.fit(loss, d, model=model, optimizer=optimizer, num_steps=num_steps)
        return run.trace.cost / factor, run.trace.evaluations

    many = jax.jit(jax.vmap(jax.vmap(train, (None, 0)), (0, None)))
    costs, evaluations = many(jnp.arange(len(group)), problems)
    minima = jnp.stack([minimum(loss, problems, model) for loss in group.values()])[..., None]
    above = jnp.maximum(costs - minima, 0) / (costs[..., :1] - minima)
    return {"gap": np.asarray(above), "evaluations": np.asarray(evaluations)}


@functools.partial(jax.jit, static_argnames=("loss", "model"))
def minimum(loss: losses.Loss, problems: data.Dataset, model: models.Model) -> jax.Array:
    """The exact minimum on each data set."""
    return jax.vmap(lambda d: lo.solve(loss, d, model=model).cost)(problems)


def standardised(name: str) -> data.Dataset:
    """A real table, its features (and a real target) centred and scaled to unit variance; one problem in a stack."""
    d = data.load(name)
    scale = lambda a: (a - a.mean(0, keepdims=True)) / a.std(0, keepdims=True)  # noqa: E731
    targets = d.targets if data.describe(name).task == "binary" else scale(d.targets)
    return jax.tree.map(lambda leaf: leaf[None], data.Dataset(scale(d.features), targets))


def rates(seed: int, condition: float) -> dict[str, float]:
    """Contraction of the distance to the minimum a step, by gradient descent and by the best heavy ball."""
    d = data.linear_problem(jax.random.key(seed), n=50, d=4, condition=condition)
    centre = lo.solve(losses.half_squared_error, d).params.weights
    root = condition**-0.5
    ball = optax.sgd(4 / (1 + root) ** 2, momentum=((1 - root) / (1 + root)) ** 2)
    found = {}
    for name, optimizer, span in (("gradient descent", PLAIN, condition), ("momentum", ball, condition**0.5)):
        first, last = round(12 * span), round(20 * span)
        run = lo.fit(losses.half_squared_error, d, optimizer=optimizer, num_steps=last, keep_params=True)
        distance = jnp.linalg.norm(run.trace.params.weights - centre[None], axis=1)
        found[name] = float((distance[last] / distance[first]) ** (1 / (last - first)))
    return found


def worst_case(steps: np.ndarray) -> np.ndarray:
    """The cost after N steps of gradient descent, from distance 1, on the Huber loss made to be worst at N."""
    start = models.Params(jnp.ones(1), None)

    def run(delta):
        huber = lo.bind(losses.huber, delta=delta)
        return lo.fit(huber, POINT, model=LINE, optimizer=PLAIN, num_steps=int(steps.max()), init=start).trace.cost

    costs = jax.jit(jax.vmap(run))(1 / (2 * jnp.asarray(steps) + 1.0))
    return np.asarray(costs)[np.arange(len(steps)), steps]


def absolute(num_steps: int) -> dict[str, np.ndarray]:
    """Absolute error of one example, from distance 1: the path at a constant step of 0.3 and at steps 0.5/sqrt(k)."""
    start = models.Params(jnp.ones(1), None)
    runs = {
        name: lo.fit(
            losses.absolute_error, POINT, model=LINE, optimizer=optimizer, num_steps=num_steps, init=start,
            keep_params=True,
        )  # fmt: skip
        for name, optimizer in (("constant", CONSTANT), ("decaying", DECAYING))
    }
    return {name: np.asarray(run.trace.params.weights[:, 0]) for name, run in runs.items()}


def separable(seed: int, num_steps: int) -> np.ndarray:
    """The logistic cost on separable data, whose infimum is 0, by gradient descent with step 1/L."""
    d = data.binary_problem(jax.random.key(seed), n=40, d=2, separation=3.0, margin=0.3)
    factor = 4 / largest_eigenvalue(d)
    loss = lo.bind(scaled_choice((losses.logistic,)), index=0, factor=factor)
    run = lo.fit(loss, d, model=models.logistic, optimizer=PLAIN, num_steps=num_steps)
    return np.asarray(run.trace.cost / factor)


def exponent(values: np.ndarray, first: int) -> float:
    """The power of t that a curve follows from step `first` on: the slope of its logarithm against log t."""
    t = np.unique(np.geomspace(first, len(values) - 1, 200).astype(int))
    return float(np.polyfit(np.log(t), np.log(values[t]), 1)[0])


def envelope(values: np.ndarray) -> np.ndarray:
    """The largest value from each step on."""
    return np.maximum.accumulate(values[::-1])[::-1]
