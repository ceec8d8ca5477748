"""How annotations are checked while the tests run: an int is a float, as in Python's own typing rules."""

import inspect
from collections.abc import Callable
from typing import Any

from beartype import beartype, BeartypeConf


_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
_made: dict[str, Callable[..., Any]] = {}


def checked(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A check of a signature, as jaxtyping asks for it: of an empty function. One of a function inside another, which
    is defined anew at every call, is made once."""
    signature = f"{fn.__module__}.{fn.__qualname__}{inspect.signature(fn)}"
    if signature not in _made:
        _made[signature] = _beartype(fn)
    return _made[signature]
