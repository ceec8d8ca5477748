"""What does the fits of one loss: a compiled function, kept for the next sweep that is alike."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from .. import losses
from ..compiling import AT_ONCE, at_once, QUICKLY
from ..data import Dataset
from ..solve import solve
from ._grid import Grid, opened, Source


# Numbers in the tables of all fits of a loss up to which compiling well takes longer than it saves.
_SMALL = 2**19


class Recipe(NamedTuple):
    """What a compiled programme depends on. Where all of it can be hashed, a second sweep does not compile again."""

    loss: Callable[..., Any]
    fixed: tuple[tuple[str, Any], ...]
    make: Callable[[Any], Dataset]
    fit: Callable[..., Any]
    settings: tuple[tuple[str, Any], ...]
    small: bool

    @classmethod
    def of(
        cls, found: Grid, origin: Source, fit: Callable[..., Any], settings: Mapping[str, Any], numbers: int
    ) -> "Recipe":
        """The recipe of a grid: hyperparameters that are not swept are constants, which the choice of a method sees.

        Each table has so many `numbers`: exact fits of few small ones are over sooner than they are compiled well.
        """
        swept = {axis.name for axis in found.axes}
        function, bound = opened(found.loss)
        fixed = tuple((name, value) for name, value in bound.items() if name not in swept)
        return cls(
            function,
            fixed,
            origin.make,
            fit,
            tuple(settings.items()),
            fit is solve and at_once(found.size * numbers, _SMALL),
        )


def programme(recipe: Recipe) -> jax.stages.Wrapped:
    """One compiled function of a part: values on the axes and what the data are made of, by chunk and fit."""
    try:
        return _kept(recipe)
    except TypeError:
        return _compiled(recipe)


def _compiled(recipe: Recipe) -> jax.stages.Wrapped:
    def one(values: Mapping[str, Any], given: Any) -> Any:
        penalties = {name: value for name, value in values.items() if name in ("l1", "l2")}
        swept = {name: value for name, value in values.items() if name not in penalties}
        loss = _bound(recipe.loss, dict(recipe.fixed) | swept)
        return recipe.fit(loss, recipe.make(given), **dict(recipe.settings), **penalties)

    by_chunk = lambda values, given: jax.lax.map(lambda chunk: jax.vmap(one)(*chunk), (values, given))  # noqa: E731
    return jax.jit(by_chunk, compiler_options=AT_ONCE if recipe.small else QUICKLY)


def _bound(function: Callable[..., Any], values: Mapping[str, Any]) -> losses.Loss:
    if not values:
        return function
    # A function of one's own may have others than `bind` knows.
    return (losses.bind if set(values) <= set(losses.keywords(function)) else jax.tree_util.Partial)(function, **values)


_kept = functools.lru_cache(maxsize=64)(_compiled)
