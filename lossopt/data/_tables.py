"""Real tables by name: eight that ship with the package, and scikit-learn's own where it is installed."""

import difflib

import jax.numpy as jnp
import numpy as np

from . import _shipped, _sklearn
from ._dataset import Dataset
from ._table import Table


_SHIPPED = {table.name: table for table in _shipped.TABLES}


def names(*, task: str | None = None) -> tuple[str, ...]:
    """The names that `load` knows here: the shipped tables, then scikit-learn's if it is installed.

    `task`: only those for "regression", "binary" or "multiclass".
    """
    tasks = {name: table.task for name, table in _SHIPPED.items()}
    if _sklearn.installed():
        tasks |= {name: entry[0] for name, entry in _sklearn.CATALOGUE.items()}
    return tuple(name for name in tasks if task in (None, tasks[name]))


def describe(name: str) -> Table:
    """What is known about a table: its columns, size, source and peculiarities.

    `ValueError` for an unknown name, `ImportError` for a table of scikit-learn's where that is missing.

    >>> describe("engel").features
    ('income',)
    """
    _check_name(name)
    return _SHIPPED[name] if name in _SHIPPED else _sklearn.describe(name)


def load(name: str) -> Dataset:
    """A table by name, its features as published but for the recoding that `describe(name).note` states.

    Features and regression targets have the default float dtype, classes are integers 0, 1, ...

    `ValueError` for an unknown name, `TypeError` for no name, `ImportError` for a table of scikit-learn's where that is
    missing.

    >>> load("stackloss").features.shape
    (21, 3)
    """
    _check_name(name)
    if name in _SHIPPED:
        task, (features, targets) = _SHIPPED[name].task, _shipped.read(_SHIPPED[name])
    else:
        task, (features, targets) = _sklearn.CATALOGUE[name][0], _sklearn.read(name)
    kind = jnp.result_type(float if task == "regression" else int)
    return Dataset(jnp.asarray(features, jnp.result_type(float)), jnp.asarray(np.asarray(targets), kind))


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a table is loaded by its name, not by a {type(name).__name__}: {', '.join(names())}.")
    known = {entry.lower(): entry for entry in (*_SHIPPED, *_sklearn.CATALOGUE)}
    if name in known.values():
        return
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0)[0]
    raise ValueError(
        f"there is no table {name!r}; did you mean {known[nearest]!r}? The tables are {', '.join(names())}."
    )
