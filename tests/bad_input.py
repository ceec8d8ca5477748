"""Mistakes as a newcomer makes them, each with the words that the answer must hold.

`python tests/bad_input.py` makes every one in a process of its own, without the tests' type checks, and prints
what the user would read as JSON: {mistake: [exception type, message]}.
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lossopt as lo
from lossopt import analysis, asymptotics, data, losses, models, plots


X = np.random.default_rng(0).normal(size=(40, 3))
Y = X @ np.ones(3)
LABELS = (Y > 0).astype(int)
GOOD = data.Dataset(X, Y)
PHONES = pathlib.Path(data.__file__).with_name("tables") / "phones.csv"
KEY = jax.random.key(0)


def spoiled(array, row, value):
    out = np.array(array, float)
    out[row] = value
    return out


GRID = np.linspace(-4.0, 4.0, 9)
POINTS = plots.Scatter(X[:, 0], Y, {"huber": (1.0, 0.0)})
VALLEY = plots.Valley(GRID, GRID, np.add.outer(GRID**2, GRID**2))


def curve_of(*values, **options):
    return plots.curve({"a": plots.Curve(*values)}, xlabel="x", ylabel="y", **options)


def valley_of(**parts):
    return plots.valley({"a": VALLEY._replace(**parts)}, xlabel="x", ylabel="y")


def fit_with(**options):
    return lo.fit(losses.huber, GOOD, num_steps=2, **options)


def minimise_with(objective, params=None, **options):
    return lo.minimise(
        objective, np.ones(3) if params is None else params, optimizer=optax.sgd(0.1), num_steps=2, **options
    )


def influence_at(**row):
    return analysis.influence(losses.huber, GOOD, models.linear.init(3), **row)


def fit_with_loss(loss):
    return lo.fit(loss, GOOD, num_steps=2)


# mistake: (what is done, error type, words that name the cause, words that name the remedy)
MISTAKES = {
    "targets as a column": (
        lambda: lo.fit(losses.huber, data.Dataset(X, Y[:, None])), ValueError, "(40, 1)", "targets[:, 0]"),
    "predictions as a column": (
        lambda: lo.mse(X[:, :1], Y), ValueError, "(40, 1)", "predictions[..., 0]"),
    "labels of -1 and 1": (
        lambda: lo.fit(losses.logistic, data.Dataset(X, 2 * LABELS - 1), model=models.logistic),
        ValueError, "0, 1", "(targets + 1) / 2"),
    "labels of 1 and 2 to the hinge": (
        lambda: lo.fit(losses.hinge, data.Dataset(X, LABELS + 1), model=models.logistic),
        ValueError, "0 or 1", "targets - 1"),
    "a NaN in row 17": (
        lambda: lo.fit(losses.huber, data.Dataset(spoiled(X, 17, np.nan), Y)), ValueError, "row 17", "drop"),
    "an infinite target": (
        lambda: lo.fit(losses.huber, data.Dataset(X, spoiled(Y, 3, np.inf))), ValueError, "row 3", "drop"),
    "integer labels to a loss of probability vectors": (
        lambda: lo.fit(losses.softmax_cross_entropy_soft, data.Dataset(X, LABELS), model=models.softmax(2)),
        ValueError, "(40,)", "one_hot"),
    "one integer label to the textbook cross-entropy": (
        lambda: losses.categorical_cross_entropy(jnp.array([0.2, 0.8]), 1), ValueError, "one length", "one_hot"),
    "probabilities to a loss of integer labels": (
        lambda: losses.softmax_cross_entropy(jnp.array([0.2, 0.8]), jnp.array([0.0, 1.0])),
        ValueError, "integer label", "softmax_cross_entropy_soft"),
    "float labels": (
        lambda: lo.fit(losses.softmax_cross_entropy, data.Dataset(X, LABELS * 1.0), model=models.softmax(2)),
        ValueError, "integer", "astype(int)"),
    "labels numbered from 1": (
        lambda: lo.fit(losses.softmax_cross_entropy, data.Dataset(X, LABELS + 1), model=models.softmax(2)),
        ValueError, "[0, k)", "number the classes from 0"),
    "training on a loss of probabilities": (
        lambda: lo.fit(losses.binary_cross_entropy, data.Dataset(X, LABELS), model=models.logistic),
        ValueError, "probability", "logistic"),
    "a softmax loss with a linear model": (
        lambda: lo.fit(losses.softmax_cross_entropy, data.Dataset(X, LABELS)), ValueError, "vector", "models.softmax"),
    "shares of a target that is 0": (
        lambda: lo.fit(losses.absolute_percentage_error, data.Dataset(X, spoiled(Y, 5, 0))),
        ValueError, "row 5", "absolute_error"),
    "logarithms of what may be negative": (
        lambda: lo.fit(losses.squared_log_error, data.Dataset(X, Y**2)), ValueError, "above -1", "log1p"),
    "several quantiles with one score": (
        lambda: lo.fit(losses.multi_quantile, GOOD), ValueError, "one score", "multi_output(3)"),
    "three levels for two predictions": (
        lambda: losses.multi_quantile(jnp.zeros(2), 1.0), ValueError, "3 levels", "quantile"),
    "one direction for vectors of another length": (
        lambda: losses.cosine_distance(jnp.zeros(2), jnp.zeros(3)), ValueError, "(2,)", "one length"),
    "directions as numbers": (
        lambda: lo.fit(losses.cosine_distance, GOOD, model=models.softmax(3)), ValueError, "(40,)", "(n, k)"),
    "negative counts": (
        lambda: lo.fit(losses.poisson, data.Dataset(X, Y)), ValueError, "at least 0", "regression loss"),
    "amounts of 0 to the gamma loss": (
        lambda: lo.solve(losses.gamma, data.Dataset(X, LABELS)), ValueError, "above 0", "tweedie"),
    "a likelihood of location and scale with a linear model": (
        lambda: lo.fit(losses.gaussian_nll, GOOD), ValueError, "log scale", "models.multi_output(2)"),
    "solving where no method is known": (
        lambda: lo.solve(losses.clipped(losses.hinge, 1.0), data.Dataset(X, LABELS)),
        ValueError, "no exact", "fit"),
    "delta = 0": (lambda: lo.bind(losses.huber, delta=0.0), ValueError, "delta=0.0", "(0, inf]"),
    "a level of 90 instead of 0.9": (
        lambda: lo.bind(losses.quantile, level=90), ValueError, "level=90", "(0, 1)"),
    "a hyperparameter of another library": (
        lambda: lo.bind(losses.huber, detla=1.0), TypeError, "detla", "delta"),
    "a misspelt loss": (lambda: losses.get("hubber"), ValueError, "hubber", "'huber'"),
    "a loss by name": (lambda: lo.fit("huber", GOOD), TypeError, "is a name", "lossopt.losses.huber"),
    "a misspelt table": (lambda: data.load("stacklos"), ValueError, "stacklos", "stackloss"),
    "no data": (lambda: lo.fit(losses.huber, data.Dataset(X[:0], Y[:0])), ValueError, "no rows", ""),
    "features as a vector": (
        lambda: lo.fit(losses.huber, data.Dataset(X[:, 0], Y)), ValueError, "(40,)", "reshape(-1, 1)"),
    "lengths that differ": (
        lambda: lo.fit(losses.huber, data.Dataset(X, Y[:39])), ValueError, "40", "39"),
    "a plain tuple": (lambda: lo.fit(losses.huber, (X, Y)), TypeError, "tuple", "data.Dataset"),
    "names in the features": (
        lambda: lo.fit(losses.huber, data.Dataset(np.array([["a", "b"]] * 40), Y)),
        ValueError, "not a number", "leave it out"),
    "a loss that returns a vector": (
        lambda: lo.fit(lambda p, t: jnp.array([p - t, 0.0]), GOOD), ValueError, "one number", "reduce"),
    "a loss that returns a pair, solved": (
        lambda: lo.solve(lambda p, t: jnp.stack([p - t, p + t]), GOOD, method="newton"),
        ValueError, "gave (2,)", "reduce inside it"),
    "a loss that returns nothing": (
        lambda: lo.cost(lambda p, t: None)(Y, Y), ValueError, "gave NoneType", "return the number"),
    "a loss that counts": (
        lambda: lo.fit(lambda p, t: jnp.where(p > t, 1, 0), GOOD), ValueError, "has no slope", "floating"),
    "the cost of a loss that counts": (
        lambda: lo.cost(lambda p, t: p > t)(Y, Y), ValueError, "has no slope", "floating"),
    "a complex loss": (
        lambda: lo.solve(lambda p, t: (p - t) * 1j, GOOD, method="lbfgs"), ValueError, "gave complex", "floating"),
    "a loss in NumPy": (
        lambda: lo.check(lambda p, t: np.abs(p - t)), TypeError, "not known while JAX traces it", "jax.numpy"),
    "a loss with an if": (
        lambda: lo.solve(lambda p, t: p - t if p > t else t - p, GOOD, method="newton"),
        TypeError, "not known while JAX traces it", "jnp.where"),
    "a loss of batches": (
        lambda: lo.check(lambda p, t: jnp.stack([p, t])), ValueError, "one number", ""),
    "negative weights": (
        lambda: lo.fit(losses.huber, data.Dataset(X, Y, spoiled(np.ones(40), 5, -1))), ValueError, "row 5", ""),
    "a negative penalty on absolute weights": (
        lambda: lo.solve(losses.huber, GOOD, l1=-1.0), ValueError, "l1=-1.0", "at least 0"),
    "a penalty on absolute weights with a loss that is not convex": (
        lambda: lo.solve(losses.tukey, GOOD, l1=0.1), ValueError, "tukey", "use l2"),
    "a negative penalty": (lambda: fit_with(l2=-1.0), ValueError, "l2=-1.0", "at least 0"),
    "mini-batches without a key": (
        lambda: fit_with(batch_size=8), ValueError, "key", "jax.random.key(0)"),
    "a batch larger than the data": (
        lambda: fit_with(batch_size=80), ValueError, "batch_size=80", "from 1 to 40"),
    "steps as a float": (
        lambda: lo.fit(losses.huber, GOOD, num_steps=1e3), ValueError, "1000.0", "whole number"),
    "an optimizer class": (lambda: fit_with(optimizer=optax.adam), TypeError, "optimizer", "optax.adam("),
    "a model class": (lambda: fit_with(model=models.softmax), TypeError, "model=", "softmax(classes)"),
    "weights of another length": (
        lambda: lo.mse(Y, Y, weights=np.ones(3)), ValueError, "(3,)", "one an example"),
    "tasks with different names": (
        lambda: lo.weighted_sum({"a": (1.0, lo.mse)})({"b": Y}, {"b": Y}), ValueError, "['a']", "same names"),
    "the card of an own loss": (
        lambda: lo.card(lambda p, t: p - t), ValueError, "no card", "lossopt.check"),
    "more contamination than rows": (
        lambda: data.contaminate(jax.random.key(0), GOOD, fraction=10), ValueError, "fraction", ""),
    "solving a loss without a method": (
        lambda: lo.solve(lambda p, t: (p - t) ** 4, GOOD), ValueError, "method", "fit"),
    "several deltas to one fit": (
        lambda: fit_with_loss(lo.bind(losses.huber, delta=np.array([0.1, 1.0]))), ValueError, "(2,)", "lossopt.sweep"),
    "several deltas inside a transform": (
        lambda: lo.solve(losses.scaled(lo.bind(losses.huber, delta=np.array([0.1, 1.0])), 2.0), GOOD),
        ValueError, "delta of huber", "lossopt.sweep"),
    "no penalty": (lambda: lo.solve(losses.huber, GOOD, l2=None), ValueError, "l2=None", "number"),
    "a penalty in quotes": (lambda: fit_with(l2="0.1"), ValueError, "l2='0.1'", "number"),
    "several penalties to one fit": (lambda: fit_with(l2=[0.1, 0.2]), ValueError, "l2 has shape (2,)", "lossopt.sweep"),
    "a tuple for a data set": (lambda: lo.solve(losses.huber, (X, Y)), TypeError, "Dataset", "tuple"),
    "a dictionary for a data set": (lambda: lo.fit(losses.huber, {0: X, "y": Y}), TypeError, "Dataset", "dict"),
    "a start that is no number": (
        lambda: fit_with(init=models.Params(jnp.full(3, np.nan), 0.0)), ValueError, "no finite", "model.init(3)"),
    "a precision of no real numbers": (
        lambda: lo.solve(losses.huber, GOOD, dtype=int), ValueError, "dtype=<class 'int'>", "jnp.float64"),
    "a penalty without end": (lambda: lo.solve(losses.huber, GOOD, l2=np.inf), ValueError, "l2=inf", "finite"),
    "a start without a bias": (
        lambda: fit_with(init=models.Params(jnp.zeros(3), None)), ValueError, "(3,) and None", "model.init(3)"),
    "a start of another length": (
        lambda: fit_with(init=models.Params(jnp.zeros(4), 0.0)), ValueError, "(4,)", "model.init(3)"),
    "a start as a tuple": (
        lambda: lo.solve(losses.huber, GOOD, init=(jnp.zeros(3), 0.0)), TypeError, "tuple", "model.init(3)"),
    "a solution as a start": (
        lambda: fit_with(init=lo.solve(losses.huber, GOOD)), TypeError, "Solution", "params"),
    "a batch of True": (
        lambda: fit_with(batch_size=True, key=jax.random.key(0)), ValueError, "batch_size=True", "whole number"),
    "half a class": (lambda: models.softmax(2.7), ValueError, "2.7", "whole number"),
    "a number for a key": (lambda: fit_with(batch_size=4, key=0), TypeError, "key=0", "jax.random.key(0)"),
    "a reduction by name": (lambda: fit_with(reduction="mean"), TypeError, "'mean'", "lossopt.mean"),
    "the mean of an array library": (lambda: fit_with(reduction=jnp.mean), TypeError, "mean", "lossopt.mean"),
    "no tolerance for a fit": (lambda: fit_with(tolerance=None), ValueError, "tolerance=None", "number"),
    "several tolerances": (
        lambda: lo.solve(losses.huber, GOOD, tolerance=np.array([0.1, 0.2])), ValueError, "tolerance=", "a number"),
    "a cost for a loss": (lambda: lo.solve(lo.mse, GOOD), TypeError, "a cost", "losses.squared_error"),
    "labels of -1 alone": (
        lambda: lo.solve(losses.logistic, data.Dataset(X, -np.ones(40)), model=models.logistic),
        ValueError, "0, 1", "(targets + 1) / 2"),
    "masked cells": (
        lambda: lo.solve(losses.huber, data.Dataset(np.ma.masked_greater(X, 1.0), Y)), ValueError, "masked in", "drop"),
    "a table by its file's name": (lambda: data.Stored("x.npy"), TypeError, "str", "numpy.load"),
    "a sweep over a tuple of arrays": (lambda: lo.sweep(losses.huber, (X, Y)), TypeError, "ndarray", "data.Dataset("),
    "a sweep over nothing": (lambda: lo.sweep(losses.huber, None), TypeError, "NoneType", "data.Dataset("),
    "a sweep of no losses": (lambda: lo.sweep(None, GOOD), TypeError, "loss=None", "function"),
    "a sweep with masked cells": (
        lambda: lo.sweep(losses.huber, [data.Dataset(np.ma.masked_greater(X, 1.0), Y)]), ValueError, "masked", "drop"),
    "a sweep that throws": (lambda: lo.sweep(losses.huber, GOOD, throw=True), ValueError, "throw", "status"),
    "a solution thrown inside a programme": (
        lambda: jax.jit(lambda l2: lo.solve(losses.huber, GOOD, l2=l2, throw=True))(0.1),
        ValueError, "throw", ".status"),
    "a fit thrown among several": (
        lambda: jax.vmap(lambda l2: fit_with(l2=l2, throw=True))(jnp.ones(2)), ValueError, "throw", ".status"),
    "a sweep inside a programme": (
        lambda: jax.jit(lambda l2: lo.sweep(losses.huber, GOOD, l2=l2)["huber"].cost)(0.1),
        ValueError, "traced l2", "lossopt.solve"),
    "a sweep differentiated in its data": (
        lambda: jax.grad(lambda y: lo.sweep(losses.huber, GOOD._replace(targets=y))["huber"].cost.sum())(Y),
        ValueError, "traced data", "lossopt.solve"),
    "a sweep among hyperparameters": (
        lambda: jax.vmap(lambda d: lo.sweep(lo.bind(losses.huber, delta=d), GOOD)["huber"].cost)(jnp.ones((2, 2))),
        ValueError, "traced losses", "lossopt.solve"),
    "a sweep by the name of a fit": (
        lambda: lo.sweep(losses.huber, GOOD, fit="fit"), TypeError, "'fit'", "lossopt.fit"),
    "seeds that are no whole numbers": (
        lambda: lo.sweep(losses.huber, lambda key: GOOD, seeds=2.0), ValueError, "seeds=2.0", "whole number"),
    "an illegal label in the second set": (
        lambda: lo.sweep(
            losses.logistic, [data.Dataset(X, LABELS), data.Dataset(X, LABELS + 1)], model=models.logistic),
        ValueError, "In data set 1", "targets - 1"),
    "a cost of a name": (lambda: lo.cost("huber"), TypeError, "'huber'", "lossopt.losses.huber"),
    "Python's sum as a reduction": (lambda: lo.cost(losses.huber, sum), TypeError, "sum", "lossopt.mean"),
    "a hyperparameter that is text": (
        lambda: lo.bind(losses.huber, delta="a"), ValueError, "delta='a'", "choose a value inside"),
    "contamination by its name": (
        lambda: data.contaminate(jax.random.key(0), GOOD, fraction=0.1, kind="vertical"),
        TypeError, "kind='vertical'", "data.vertical"),
    "a table by its number": (lambda: data.load(3), TypeError, "int", "stackloss"),
    "noise of a negative size": (
        lambda: data.linear_problem(jax.random.key(0), n=10, d=2, noise_scale=-1.0),
        ValueError, "noise_scale", "at least 0"),
    "three classes' errors of two": (
        lambda: losses.noise_corrected(losses.logistic, np.eye(3)), ValueError, "(3, 3)", "(2, 2) is expected"),
    "one class too few to correct": (
        lambda: losses.noise_corrected(losses.softmax_cross_entropy, np.eye(3))(jnp.zeros(4), 1),
        ValueError, "(3, 3)", "needs shape (4, 4)"),
    "class weights as a column": (
        lambda: losses.softmax_cross_entropy(jnp.zeros(3), 1, class_weights=jnp.ones((3, 1))),
        ValueError, "(3, 1)", "need shape (3,)"),
    "a class too few weighted": (
        lambda: losses.categorical_focal(jnp.zeros(3), 1, class_weights=jnp.ones(1)),
        ValueError, "(1,)", "need shape (3,)"),
    "solving a regression on names": (
        lambda: lo.solve("huber", GOOD), TypeError, "is a name", "lossopt.losses.huber"),
    "a Parquet file by its number": (
        lambda: data.read_parquet(3, target="y"), TypeError, "path=3", "a str, a pathlib.Path"),
    "a Parquet file by its bytes": (
        lambda: data.read_parquet(b"y.parquet", target="y"), TypeError, "b'y.parquet'", "a str, a pathlib.Path"),
    "a Parquet file that is not named": (
        lambda: data.read_parquet([None], target="y"), TypeError, "[None]", "a str, a pathlib.Path"),
    "a column in a list": (
        lambda: data.read_csv(PHONES, target=["calls"]), TypeError, "['calls']", "the columns are year, calls"),
    "a picture of no panels": (lambda: plots.panels(0), ValueError, "nothing to draw", "at least one"),
    "a picture of no fits": (lambda: plots.fits({}), ValueError, "nothing to draw", "at least one"),
    "a picture of no valleys": (
        lambda: plots.valley({}, xlabel="x", ylabel="y"), ValueError, "nothing to draw", "at least one"),
    "a picture of no curves": (
        lambda: plots.curve({}, xlabel="x", ylabel="y"), ValueError, "no curves", "name -> (x, y)"),
    "a picture of no losses": (
        lambda: plots.loss_shapes({}, GRID), ValueError, "no losses", "name -> function"),
    "a loss that is nowhere finite": (
        lambda: plots.loss_shapes({"a": lambda r: r * jnp.nan}, GRID),
        ValueError, "'a' is finite nowhere", "leave it out"),
    "shapes at one point": (
        lambda: plots.loss_shapes({"a": abs}, np.ones(1)), ValueError, "(1,)", "at least two points"),
    "shapes at no point": (
        lambda: plots.loss_shapes({"a": abs}, np.zeros(0)), ValueError, "(0,)", "at least two points"),
    "a picture on a grid with a point twice": (
        lambda: plots.loss_shapes({"a": abs}, np.ones(2)), ValueError, "does not increase", "occurs twice"),
    "a picture on a grid with a gap": (
        lambda: plots.loss_shapes({"a": abs}, np.array([0.0, np.nan, 1.0])), ValueError, "not increase", "or is NaN"),
    "a picture of a curve of no numbers": (
        lambda: curve_of(GRID, np.full(GRID.size, np.nan)), ValueError, "None of 'a'", "leave them out"),
    "a group of an unknown loss": (
        lambda: plots.loss_shapes({"tukey": abs}, GRID, groups={"a": ["tukeyy"]}), ValueError, "'tukeyy'", "tukey."),
    "fits to no rows": (
        lambda: plots.fits({"a": POINTS._replace(x=[], y=[])}), ValueError, "'a' has no row", "finite x and y"),
    "fits to columns of two lengths": (
        lambda: plots.fits({"a": POINTS._replace(y=Y[:39])}), ValueError, "(39,)", "one length"),
    "a band without an upper end": (lambda: curve_of(GRID, GRID, GRID), ValueError, "one end", "both low and high"),
    "a curve of two lengths": (lambda: curve_of(GRID, GRID[:3]), ValueError, "(3,)", "one length"),
    "600 decades": (
        lambda: curve_of([1, 2], [1e-300, 1e302], yscale="log"), ValueError, "1e+302", "give ylim"),
    "zeros on a logarithmic axis": (
        lambda: plots.convergence({"a": plots.Curve(GRID, 0 * GRID)}), ValueError, "None of 'a'", "a linear one"),
    "an axis without an end": (
        lambda: curve_of(GRID, GRID, ylim=(np.nan, 3)), ValueError, "ylim=(nan, 3)", "two different finite numbers."),
    "an axis of one number": (lambda: curve_of(GRID, GRID, ylim=(3, 3)), ValueError, "ylim=(3, 3)", "two different"),
    "a logarithmic axis from 0": (
        lambda: curve_of(GRID, GRID, yscale="log", ylim=(0, 3)), ValueError, "ylim=(0, 3)", "above 0"),
    "a picture of no size": (
        lambda: curve_of(GRID, GRID, size=(0, 0)), ValueError, "size=(0, 0)", "a width and a height above 0"),
    "a picture without an end": (lambda: plots.panels(1, size=(np.inf, 3)), ValueError, "size=(inf, 3)", "in inches"),
    "a valley that is nowhere finite": (
        lambda: valley_of(surface=np.full((9, 9), np.nan)), ValueError, "finite nowhere", ""),
    "a valley of another shape": (lambda: valley_of(surface=np.ones((9, 8))), ValueError, "(9, 8)", "(9, 9)"),
    "a path without steps": (lambda: valley_of(paths={"adam": []}), ValueError, "'adam'", "(steps, 2)"),
    "the portrait of a name": (
        lambda: plots.portrait("huber"), TypeError, "is a name", "lossopt.losses.huber"),
    "the portrait of several": (
        lambda: plots.portrait(lo.bind(losses.huber, delta=np.array([1.0, 2.0]))), ValueError, "(2,)", "bind a number"),
    "a grid without values": (
        lambda: analysis.over_grid(jnp.square, jnp.zeros(0)), ValueError, "(0,)", "each axis a value"),
    "batches of no calls": (
        lambda: analysis.over_grid(jnp.square, jnp.zeros(3), batch_size=0), ValueError, "batch_size=0", "at least 1"),
    "a column by its place": (
        lambda: data.read_csv(PHONES, target="calls", features=[0]), TypeError, "0 is no name", "the columns are"),
    "data of different lengths": (
        lambda: minimise_with(lambda w, d: jnp.mean(w * d[0]), data=(jnp.ones(10), jnp.ones(5)), batch_size=5, key=KEY),
        ValueError, "5 and 10 rows", "one number"),
    "mini-batches of nothing": (
        lambda: minimise_with(jnp.sum, batch_size=3, key=KEY), ValueError, "none", "leave batch_size out"),
    "an optimizer that accumulates": (
        lambda: fit_with(optimizer=optax.MultiSteps(optax.sgd(0.1), 2)),
        TypeError, "optax optimiser", "gradient_transformation()"),
    "a tolerance in words": (lambda: fit_with(tolerance="a"), ValueError, "tolerance='a'", "a number"),
    "a negative tolerance": (lambda: fit_with(tolerance=-1), ValueError, "tolerance=-1", "at least 0"),
    "a tolerance of NaN": (lambda: fit_with(tolerance=np.nan), ValueError, "tolerance=nan", "at least 0"),
    "to go on in a file": (lambda: fit_with(resume=__file__), ValueError, "bad_input.py", "give a folder"),
    "whole parameters": (
        lambda: minimise_with(jnp.sum, params=jnp.arange(3)), ValueError, "have no gradient", "floats"),
    "complex parameters": (
        lambda: minimise_with(lambda p: jnp.sum(jnp.abs(p) ** 2), params=jnp.array([1 + 1j])),
        ValueError, "complex", "real and imaginary parts"),
    "one row in folds": (lambda: analysis.folds(KEY, 1, 5), ValueError, "a single row", "at least 2 rows"),
    "several objectives": (lambda: minimise_with(lambda w: w), ValueError, "shape (3,)", "jnp.mean"),
    "efficiency under a law by name": (
        lambda: lo.efficiency(losses.huber, "gaussian"), ValueError, "'gaussian' is no law", "asymptotics.gaussian"),
    "efficiency under a family of laws": (
        lambda: lo.efficiency(losses.huber, asymptotics.student), ValueError, "noise=student", "student(3.0)"),
    "efficiency under a density that jumps": (
        lambda: lo.efficiency(losses.huber, lambda r: jnp.where(abs(r) < 1, 0.0, -jnp.inf)),
        ValueError, "the noise", "continuous density"),
    "a law of negative freedom": (lambda: asymptotics.student(-1.0), ValueError, "df=-1.0", "positive"),
    "twice as many gross errors as rows": (
        lambda: asymptotics.contaminated(2.0), ValueError, "fraction=2.0", "in [0, 1]"),
    "noise by its name": (
        lambda: data.linear_problem(KEY, n=10, d=2, noise="gaussian"), TypeError, "'gaussian'", "data.gaussian"),
    "freedom in words": (lambda: data.student("a"), ValueError, "df='a'", "a number"),
    "a share in words": (
        lambda: data.contaminate(KEY, GOOD, fraction="0.1"), ValueError, "fraction='0.1'", "a number"),
    "no share": (lambda: data.contaminate(KEY, GOOD, fraction=None), ValueError, "fraction=None", "a number"),
    "the scale of a table": (lambda: lo.scale.m_scale(X), ValueError, "(40, 3)", "vector"),
    "a sensitivity curve of weighted rows": (
        lambda: analysis.sensitivity_curve(
            lambda d: d.targets[0], GOOD._replace(weights=np.ones(40)), features=X[0], targets=Y[:1]),
        ValueError, "without weights", "leave the weights out"),
    "influence at a row of another length": (
        lambda: influence_at(features=X[0, :2], targets=Y[:1]), ValueError, "shape (2,)", "(3,)"),
    "influence at one number": (
        lambda: influence_at(features=X[0], targets=1.0), ValueError, "shape ()", "a vector"),
    "folds and a half": (lambda: analysis.folds(KEY, 10, 2.5), ValueError, "count=2.5", "whole number"),
    "errors of nothing": (lambda: analysis.errors(jnp.zeros(0)), ValueError, "shape (0,)", "at least one"),
    "a robust start for classes": (
        lambda: analysis.robust_start(KEY, data.Dataset(X, LABELS), model=models.logistic),
        ValueError, "logistic", "models.linear"),
    "a robust start of no draws": (
        lambda: analysis.robust_start(KEY, GOOD, subsets=0), ValueError, "subsets=0", "at least 1"),
    "a robust start from too few rows": (
        lambda: analysis.robust_start(KEY, data.Dataset(X[:3], Y[:3])), ValueError, "3 rows", "4 coefficients"),
}  # fmt: skip


def answer(mistake):
    """What making a mistake says: the exception's type and message, or nothing."""
    try:
        MISTAKES[mistake][0]()
    except Exception as error:  # whatever it is, the user sees it
        return type(error).__name__, str(error)
    return "nothing", ""


if __name__ == "__main__":
    print(json.dumps({mistake: answer(mistake) for mistake in MISTAKES}))
