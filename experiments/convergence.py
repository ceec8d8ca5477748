"""How fast does training reach the minimum under each loss?

Design. Linear regression (n = 200, d = 5, condition number 30, Laplace noise) and logistic
regression (n = 200, d = 5, overlapping classes), 30 data sets each. Every loss is divided by its largest curvature
on the data, so that gradient descent with step 1 is gradient descent with step 1/L for each of them. The optimisers
are gradient descent, Nesterov's momentum (0.9), Adam (0.1) and L-BFGS; the exact minimum comes from the solver. What is
shown is the relative suboptimality (f - f*) / (f0 - f*), median and quartiles over data sets, and the same on
stackloss and biopsy (standardised) without L-BFGS. Then five cases whose speed theory gives exactly.

Claims. Gradient descent on squared error contracts by 1 - 1/condition a step, heavy-ball momentum at its best setting
by (sqrt(condition) - 1)/(sqrt(condition) + 1). The worst case of gradient descent on Huber's loss, LR^2/(4N + 2), is
attained. Absolute error at a constant step ends in a 2-cycle of the step's size, and at steps 1/sqrt(k) its gap falls
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


def gaps(group: dict, problems: data.Dataset, model: models.Model, least, optimizer, num_steps: int) -> dict:
    """Relative suboptimality and gradient evaluations, each (losses, problems, steps + 1)."""
    curvature = jnp.array([lo.card(loss).smoothness for loss in group.values()])

    def train(index, d):
        factor = 1 / (curvature[index] * largest_eigenvalue(d))
        loss = lo.bind(scaled_choice(tuple(group.values())), index=index, factor=factor)
        run = lo.fit(loss, d, model=model, optimizer=optimizer, num_steps=num_steps)
        return run.trace.cost / factor, run.trace.evaluations

    many = jax.jit(jax.vmap(jax.vmap(train, (None, 0)), (0, None)))
    costs, evaluations = many(jnp.arange(len(group)), problems)
    floor = least[..., None]
    above = jnp.maximum(costs - floor, 0) / (costs[..., :1] - floor)
    return {"gap": np.asarray(above), "evaluations": np.asarray(evaluations)}


def minima(group: dict, problems: data.Dataset, model: models.Model) -> np.ndarray:
    """The exact minimum under each loss on each data set: (losses, problems)."""
    choice = losses.one_of(*group.values())

    def least(index, d):
        return lo.solve(lo.bind(choice, index=index), d, model=model).cost

    return np.asarray(jax.jit(jax.vmap(jax.vmap(least, (None, 0)), (0, None)))(jnp.arange(len(group)), problems))


def standardised(name: str) -> data.Dataset:
    """A real table, its features (and a real target) centred and scaled to unit variance; one problem in a stack."""
    d = data.load(name)
    scale = lambda a: (a - a.mean(0, keepdims=True)) / a.std(0, keepdims=True)  # noqa: E731
    targets = d.targets if data.describe(name).task == "binary" else scale(d.targets)
    return jax.tree.map(lambda leaf: leaf[None], data.Dataset(scale(d.features), targets))


square_problem = jax.jit(functools.partial(data.linear_problem, n=50, d=4))


def rates(seed: int, condition: float) -> dict[str, float]:
    """Contraction of the distance to the minimum a step, by gradient descent and by the best heavy ball."""
    d = square_problem(jax.random.key(seed), condition=condition)
    centre = lo.solve(losses.half_squared_error, d).params.weights
    root = condition**-0.5
    ball = optax.sgd(4 / (1 + root) ** 2, momentum=((1 - root) / (1 + root)) ** 2)
    found = {}
    for name, optimizer, span in (("gradient descent", PLAIN, condition), ("momentum", ball, condition**0.5)):
        first, last = round(6 * span), round(12 * span)
        run = lo.fit(losses.half_squared_error, d, optimizer=optimizer, num_steps=last, keep_params=True)
        distance = np.linalg.norm(run.trace.params.weights - centre[None], axis=1)
        # At its best setting the heavy ball has a double root: the distance is t times a power, not a power.
        shrunk = distance / np.maximum(np.arange(last + 1), 1) if name == "momentum" else distance
        found[name] = float((shrunk[last] / shrunk[first]) ** (1 / (last - first)))
    return found


def worst_case(steps: np.ndarray) -> np.ndarray:
    """The cost after N steps of gradient descent, from distance 1, on the Huber loss made to be worst at N."""
    start = models.Params(jnp.ones(1), None)

    def run(delta):
        huber = lo.bind(losses.huber, delta=delta)
        return lo.fit(huber, POINT, model=LINE, optimizer=PLAIN, num_steps=int(steps.max()), init=start).trace.cost

    costs = jax.jit(jax.vmap(run))(1 / (2 * jnp.asarray(steps, float) + 1))
    return np.asarray(costs)[np.arange(len(steps)), steps]


def absolute(num_steps: int) -> dict[str, np.ndarray]:
    """Absolute error of one example, from distance sqrt(2): the path at a constant step of 0.3 and at "
    "steps 0.5/sqrt(k)."""
    start = models.Params(jnp.full(1, 2**0.5), None)
    runs = {
        name: lo.fit(
            losses.absolute_error,
            POINT,
            model=LINE,
            optimizer=optimizer,
            num_steps=num_steps,
            init=start,
            keep_params=True,
        )
        for name, optimizer in (("constant", CONSTANT), ("decaying", DECAYING))
    }
    return {name: np.asarray(run.trace.params.weights[:, 0]) for name, run in runs.items()}


def separable(seed: int, num_steps: int) -> np.ndarray:
    """The logistic cost on separable data, whose infimum is 0, by gradient descent with step 1/L."""
    d = data.binary_problem(jax.random.key(seed), n=40, d=2, separation=4.0, margin=1.0)
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


def sizes(quick: bool) -> dict[str, int]:
    """How much is run."""
    return {"seeds": 8 if quick else 30, "steps": 200 if quick else 400, "L-BFGS steps": 30, "long": 40_000}


def run(*, seed: int, quick: bool, progress: report.Progress) -> report.Results:
    """Train, solve, and measure the claims."""
    size, curves, rows = sizes(quick), {}, []
    keys = jax.random.split(jax.random.key(seed), size["seeds"])
    lines = functools.partial(data.linear_problem, n=200, d=5, condition=30.0, noise=data.laplace)
    classes = functools.partial(data.binary_problem, n=200, d=5, separation=1.5)
    problems = {
        "linear": (REGRESSION, jax.jit(jax.vmap(lines))(keys), models.linear),
        "logistic": (CLASSIFICATION, jax.jit(jax.vmap(classes))(keys), models.logistic),
        "stackloss": (REGRESSION, standardised("stackloss"), models.linear),
        "biopsy": (CLASSIFICATION, standardised("biopsy"), models.logistic),
    }
    pairs = [(problem, name) for problem in problems for name in OPTIMIZERS]
    pairs = [pair for pair in pairs if pair[0] in ("linear", "logistic") or pair[1] != "l-bfgs"]
    every = functools.partial(report.side_by_side, progress=progress)
    least = every(lambda problem: minima(*problems[problem]), problems, doing="exact minima")

    def train(pair):
        (group, stack, model), optimizer = problems[pair[0]], pair[1]
        steps = size["L-BFGS steps"] if optimizer == "l-bfgs" else size["steps"]
        return gaps(group, stack, model, least[pair[0]], OPTIMIZERS[optimizer], steps)

    found_of = every(train, pairs, doing="training under each loss")
    for (problem, name), found in found_of.items():
        for i, loss in enumerate(problems[problem][0]):
            rows.append(row(problem, loss, name, found["gap"][i], found["evaluations"][i]))
            curves[f"{problem}/{name}/{loss}"] = np.quantile(found["gap"][i], (0.25, 0.5, 0.75), axis=0)
            curves[f"{problem}/{name}/{loss}/evaluations"] = np.median(found["evaluations"][i], axis=0)
    paths = absolute(size["long"] // 10)
    curves |= {f"theory/{name}": path for name, path in paths.items()}
    curves["theory/separable"] = separable(seed, size["long"])
    claims = [*linear_rates(seed, progress), *attained(curves), *corner(curves), falling(curves, size["long"])]
    return report.Results(rows=rows, curves=curves, claims=claims, captions=CAPTIONS, config=size)


def row(problem: str, loss: str, optimizer: str, gap: np.ndarray, evaluations: np.ndarray) -> dict:
    """The tidy row of one loss under one optimiser: medians over data sets."""
    reached = {
        f"steps to {level:g}": float(np.median([trace.steps_to(one, 0.0, level) for one in gap]))
        for level in (1e-3, 1e-6)
    }
    return {
        "data": problem,
        "loss": loss,
        "optimiser": optimizer,
        "data sets": len(gap),
        **reached,
        "relative gap at the end": float(np.median(gap[:, -1])),
        "gradient evaluations": float(np.median(evaluations[:, -1])),
    }


def linear_rates(seed: int, progress: report.Progress) -> list[report.Claim]:
    """Gradient descent and the best heavy ball on squared error."""
    claims = []
    measured = report.side_by_side(lambda kappa: rates(seed, kappa), (10.0, 100.0), progress, "rates on squared error")
    for condition, found in measured.items():
        root = condition**0.5
        for name, what, expected, source in (
            ("gradient descent", "distance", 1 - 1 / condition, "Nesterov (2004), section 2.1.5, on a quadratic"),
            ("momentum", "distance / t", (root - 1) / (root + 1), "Polyak (1964), theorem 9, at a double root"),
        ):
            statement = f"{name} on squared error at condition number {condition:g}: contraction of the {what} a step"
            claims.append(
                report.Claim(
                    statement=statement, measured=found[name], expected=expected, tolerance=0.01, source=source
                )
            )
    return claims


def attained(curves: dict) -> list[report.Claim]:
    """The worst case of gradient descent on Huber's loss."""
    steps = np.array([1, 2, 5, 10, 50, 100])
    curves["theory/steps"], curves["theory/worst"] = steps, worst_case(steps)
    return [
        report.Claim(
            statement=f"Huber's worst case after {n} steps from distance 1: the cost attains the bound 1/(4N + 2)",
            measured=cost,
            expected=1 / (4 * n + 2),
            tolerance=1e-12,
            kind="relative",
            source="Drori and Teboulle (2014), theorem 3.2",
        )
        for n, cost in zip(steps.tolist(), curves["theory/worst"].tolist(), strict=True)
    ]


def corner(curves: dict) -> list[report.Claim]:
    """Absolute error at a constant and at a decaying step."""
    path, source = curves["theory/constant"][-100:], "the sub-gradient is -1 or 1: Shor (1985), section 2.1"
    gap = envelope(np.abs(curves["theory/decaying"]))
    slope = exponent(gap[: len(gap) // 2], 30)  # near its end an envelope has seen too little to be one
    claim = functools.partial(report.Claim, source=source)
    return [
        claim(
            statement="absolute error at a constant step of 0.3 ends in a cycle of period 2: |w(t+2) - w(t)|",
            measured=np.max(np.abs(path[2:] - path[:-2])),
            expected=0.0,
            tolerance=1e-12,
        ),
        claim(
            statement="that cycle has the size of the step: |w(t+1) - w(t)|",
            measured=np.mean(np.abs(np.diff(path))),
            expected=0.3,
            tolerance=1e-12,
        ),
        claim(
            statement="absolute error at steps 0.5/sqrt(k): the gap falls like k to the power",
            measured=slope,
            expected=-0.5,
            tolerance=0.05,
        ),
    ]


def falling(curves: dict, long: int) -> report.Claim:
    """The logistic cost on separable data."""
    return report.Claim(
        statement="logistic on separable data, step 1/L: the gap falls like t to the power",
        measured=exponent(curves["theory/separable"], long // 10),
        expected=-1.0,
        tolerance=0.05,
        source="Soudry et al. (2018), theorem 5",
    )


CAPTIONS = {
    "linear": "Linear regression: relative suboptimality against steps, by optimiser; median and "
    "quartiles over data sets. "
    "All four losses have curvature 1 at the origin, so gradient descent takes the same step; a loss "
    "that is flatter in its "
    "tails has less curvature at the minimum, and is slower. Adam does not care.",
    "logistic": "Logistic regression: relative suboptimality against steps, by optimiser; median and "
    "quartiles over data sets.",
    "evaluations": "The same against gradient evaluations, in which a line search pays for its own.",
    "corner": "What the corner of absolute error does to a constant step: it ends in a cycle as wide as "
    "the step. A step that "
    "shrinks like 1/√k closes in.",
    "theory": "Three speeds that theory knows: points and coloured lines are measured, dashed grey is what it expects.",
}


def plot(results: report.Results) -> dict:
    """The four figures, from the results alone."""
    return {
        "linear": steps_figure(results.curves, "linear", REGRESSION),
        "logistic": steps_figure(results.curves, "logistic", CLASSIFICATION),
        "evaluations": evaluations_figure(results.curves),
        "corner": corner_figure(results.curves),
        "theory": theory_figure(results.curves),
    }


def steps_figure(curves: dict, problem: str, group: dict):
    """One panel an optimiser, one line a loss."""
    panels = {}
    for optimizer in OPTIMIZERS:
        quartiles = {loss: curves[f"{problem}/{optimizer}/{loss}"] for loss in group}
        steps = np.arange(next(iter(quartiles.values())).shape[1])
        panels[optimizer] = {loss: plots.Curve(steps, q[1], q[0], q[2]) for loss, q in quartiles.items()}
    return plots.convergence(panels, ylabel=GAP, columns=2, ylim=(1e-13, 2))


GAP = "(f − f*) / (f₀ − f*), no unit"


def evaluations_figure(curves: dict):
    """One panel a problem, one line an optimiser."""
    panels = {}
    for problem, loss in (("linear", "huber"), ("logistic", "logistic")):
        names = {name: f"{problem}/{name}/{loss}" for name in OPTIMIZERS}
        panels[f"{loss} ({problem} model)"] = {
            name: plots.Curve(curves[f"{path}/evaluations"], curves[path][1], curves[path][0], curves[path][2])
            for name, path in names.items()
        }
    return plots.convergence(panels, xlabel="gradient evaluations", ylabel=GAP, columns=2, ylim=(1e-13, 2))


def corner_figure(curves: dict):
    """The first steps on absolute error."""
    k = np.arange(41)
    paths = {"step 0.3": curves["theory/constant"][k], "step 0.5/√k": curves["theory/decaying"][k]}
    return plots.curve(
        {f"absolute_error, {name}": plots.Curve(k, path) for name, path in paths.items()},
        xlabel="steps", ylabel="weight − best weight (its unit)",
    )  # fmt: skip


def theory_figure(curves: dict):
    """Huber's worst case, decaying steps on absolute error, and separable classes."""
    steps, long = curves["theory/steps"], np.arange(1, len(curves["theory/separable"]))
    gap = envelope(np.abs(curves["theory/decaying"]))
    k = np.arange(1, len(gap) // 2)
    last = curves["theory/separable"][-1] * long[-1]
    panels = {
        "Huber's worst case": {"huber": plots.Curve(steps, curves["theory/worst"])},
        "absolute error, step 0.5/√k": {"absolute_error": plots.Curve(k, gap[k])},
        "separable classes": {"logistic": plots.Curve(long, curves["theory/separable"][1:])},
    }
    expected = (
        {"1/(4N + 2)": plots.Curve(steps, 1 / (4 * steps + 2))},
        {"∝ 1/√k": plots.Curve(k, 0.5 / np.sqrt(k))},
        {"∝ 1/t": plots.Curve(long[10:], last / long[10:])},
    )
    return plots.curve(
        panels, xlabel="steps", ylabel="cost − minimum (cost's unit)",
        reference=dict(zip(panels, expected, strict=True)), xscale="log", yscale="log", sharey=False,
    )  # fmt: skip


def main() -> None:
    """Run the experiment as a command."""
    report.main(run, plot, doc=__doc__, name="convergence")


if __name__ == "__main__":
    main()
