"""What does the fits of one loss, or of several: a compiled function, kept for the next sweep that is alike."""

import contextlib
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from .. import losses
from ..compiling import AT_ONCE, at_once, QUICKLY
from ..data import Dataset
from ..solve import solve
from ..store import identity
from ._grid import Grid, opened, Source


# Numbers in the tables of all fits of a loss up to which compiling well takes longer than it saves.
_SMALL = 2**19


# A function, and the hyperparameters of it that are the same in all fits.
_Fixed = tuple[Callable[..., Any], tuple[tuple[str, Any], ...]]


class Recipe(NamedTuple):
    """What a compiled programme depends on. Where all of it can be hashed, a second sweep does not compile again."""

    losses: tuple[_Fixed, ...]
    make: Callable[[Any], Dataset]
    fit: Callable[..., Any]
    settings: tuple[tuple[str, Any], ...]
    small: bool

    @classmethod
    def of(
        cls, grids: Sequence[Grid], origin: Source, fit: Callable[..., Any], settings: Mapping[str, Any], numbers: int
    ) -> "Recipe":
        """The recipe of grids that one programme goes through.

        Hyperparameters that are not swept are constants, which the choice of a method sees. Each table has so many
        `numbers`: exact fits of few small ones are over sooner than they are compiled well.
        """
        few = fit is solve and at_once(sum(found.size for found in grids) * numbers, _SMALL)
        return cls(tuple(map(_fixed, grids)), origin.make, fit, tuple(settings.items()), few)


def _fixed(found: Grid) -> _Fixed:
    swept = {axis.name for axis in found.axes}
    function, bound = opened(found.loss)
    return function, tuple((name, value) for name, value in bound.items() if name not in swept)


class Programme:
    """A compiled function of a part: which loss, values on the axes and what the data are made of, by chunk and fit."""

    def __init__(self, recipe: Recipe) -> None:
        try:
            self._run = _kept(recipe)
        except TypeError:
            self._run = _compiled(recipe)
        self._compiling, self._structure, self._identity = threading.Lock(), None, None

    def __call__(self, *arguments: Any) -> list[jax.Array]:
        """The leaves of the results. Whoever comes first compiles, and whoever needs the same waits."""
        with contextlib.ExitStack() as compiling:
            if self._structure is None:
                compiling.enter_context(self._compiling)
            leaves, self._structure = jax.tree.flatten(self._run(*arguments))
        return leaves

    def structure(self, *arguments: Any) -> Any:
        """What the leaves are leaves of."""
        if self._structure is None:
            self._structure = jax.tree.structure(jax.eval_shape(self._run, *arguments))
        return self._structure

    def identity(self, *arguments: Any) -> Any:
        """What says which programme it is."""
        if self._identity is None:
            self._identity = identity(self._run.trace(*arguments))
        return self._identity


def _compiled(recipe: Recipe) -> jax.stages.Wrapped:
    def one(which: Any, values: Mapping[str, Any], given: Any) -> Any:
        penalties = {name: value for name, value in values.items() if name in ("l1", "l2")}
        swept = {name: value for name, value in values.items() if name not in penalties}
        loss, *others = (_bound(function, dict(fixed) | swept) for function, fixed in recipe.losses)
        if others:
            loss = losses.bind(losses.one_of(loss, *others), index=which)
        return recipe.fit(loss, recipe.make(given), **dict(recipe.settings), **penalties)

    def by_chunk(which: Any, values: Mapping[str, Any], given: Any) -> Any:
        return jax.lax.map(lambda chunk: jax.vmap(functools.partial(one, which))(*chunk), (values, given))

    return jax.jit(by_chunk, compiler_options=AT_ONCE if recipe.small else QUICKLY)


def _bound(function: Callable[..., Any], values: Mapping[str, Any]) -> losses.Loss:
    if not values:
        return function
    # A function of one's own may have others than `bind` knows.
    return (losses.bind if set(values) <= set(losses.keywords(function)) else jax.tree_util.Partial)(function, **values)


_kept = functools.lru_cache(maxsize=64)(_compiled)
