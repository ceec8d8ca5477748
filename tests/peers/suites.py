"""How a suite of another library is run: its cases by name, each with what went wrong, held against a table."""

import contextlib
import importlib
import itertools
import re
import unittest
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossopt as lo
from lossopt import losses


# Case -> what went wrong, "" if nothing.
Outcomes = dict[str, str]


def suite(module: str) -> ModuleType:
    """The test module of another library, or a skip that says what is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        pytest.skip(f"{module} cannot be imported: {error}")


@contextlib.contextmanager
def their_settings() -> Iterator[None]:
    """JAX as other libraries expect it, promoting and broadcasting freely in single precision."""
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.enable_x64(False),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def of_classes(tests: Iterable[unittest.TestCase], replaced: Mapping[tuple[ModuleType, str], Any]) -> Outcomes:
    """The outcome of each test, with names in the peer's library replaced."""
    outcomes: Outcomes = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(their_settings())
        for (place, name), ours in replaced.items():
            stack.enter_context(mock.patch.object(place, name, ours))
        for test in tests:
            result = unittest.TestResult()
            test.run(result)
            if not result.skipped:
                outcomes[name_of(test)] = _first(result)
    return outcomes


def tests_of(module: ModuleType, classes: Iterable[str], *, but: str) -> list[unittest.TestCase]:
    """The tests in some classes of a module, without those whose name matches a pattern."""
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    every = itertools.chain(*(load(getattr(module, name)) for name in classes))
    return [test for test in every if not re.search(but, name_of(test))]


def name_of(test: unittest.TestCase) -> str:
    """Class and method, with the number of the row of a parametrised one."""
    return f"{type(test).__name__}.{test._testMethodName}"


def _first(result: unittest.TestResult) -> str:
    trouble = [*result.errors, *result.failures]
    if not trouble:
        return ""
    lines = trouble[0][1].splitlines()
    return next((line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception)\b", line)), lines[-1])


def of_functions(functions: Mapping[str, Callable[[], Any]]) -> Outcomes:
    """Plain calls, by name."""
    outcomes: Outcomes = {}
    for name, call in functions.items():
        outcomes[name] = ""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                call()
        except Exception as error:  # whatever goes wrong is the outcome
            outcomes[name] = f"{type(error).__name__}: {error}"
    return outcomes


def rows_of(function: Callable[..., Any]) -> list[dict[str, Any]]:
    """The arguments that pytest would give a test function: the product of its `parametrize` marks."""
    tables = []
    for mark in function.pytestmark:
        if mark.name == "parametrize":
            names = (
                mark.args[0] if isinstance(mark.args[0], list | tuple) else [n.strip() for n in mark.args[0].split(",")]
            )
            values = [getattr(row, "values", row) if not isinstance(row, Mapping) else row for row in mark.args[1]]
            tables.append([dict(zip(names, row if len(names) > 1 else [row], strict=True)) for row in values])
    return [{key: value for part in parts for key, value in part.items()} for parts in itertools.product(*tables)]


def hold(outcomes: Outcomes, differing: Mapping[str, str]) -> None:
    """Fail unless exactly the cases of the table differ."""
    found = {case for case, trouble in outcomes.items() if trouble}
    surprises = [f"{case} differs: {outcomes[case]}" for case in sorted(found - set(differing))]
    surprises += [
        f"{case} agrees (or is gone), and the table says: {differing[case]}" for case in sorted(set(differing) - found)
    ]
    assert not surprises, "\n".join(surprises)
    print(f"{len(outcomes)} cases: {len(outcomes) - len(found)} agree, {len(found)} differ")


# Rows are padded to a multiple of this, so that a loss is compiled once and not for every shape of theirs.
LENGTH = 32


@jax.jit
def _rows(loss: Any, predictions: jax.Array, targets: jax.Array) -> jax.Array:
    return jax.vmap(loss)(predictions, targets)


def batched(name: str, **hyperparameters: Any) -> Callable[[Any, Any], jax.Array]:
    """Our loss of that name over any batch, of whatever arrays a peer would take."""
    loss = lo.bind(losses.get(name), **hyperparameters)
    one = losses.claims(loss).prediction_ndim

    def of_batch(predictions: Any, targets: Any) -> jax.Array:
        whole = loss if np.ndim(predictions) == one else lo.per_example(loss)
        if isinstance(predictions, jax.core.Tracer) or isinstance(targets, jax.core.Tracer):
            return whole(jnp.asarray(predictions), jnp.asarray(targets))
        return _padded(loss, np.asarray(predictions), np.asarray(targets), jax.eval_shape(whole, predictions, targets))

    return of_batch


def _padded(loss: Any, predictions: np.ndarray, targets: np.ndarray, found: Any) -> jax.Array:
    """The losses of a batch whose losses are of the shape and dtype `found`."""
    parts = [array.reshape(-1, *array.shape[len(found.shape) :]) for array in (predictions, targets)]
    rows = len(parts[0])
    padded = np.minimum(np.arange(-(-rows // LENGTH) * LENGTH), rows - 1).reshape(-1, LENGTH)
    values = np.concatenate([_rows(loss, *(part[some] for part in parts)) for some in padded])
    return jnp.asarray(values[:rows].reshape(found.shape), found.dtype)
