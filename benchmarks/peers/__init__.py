"""The same losses in other libraries, as far as they are installed: one file a library, one line a loss."""

import importlib

from ._border import illegal_accepted as illegal_accepted, wrong_shapes as wrong_shapes
from ._measure import measured as measured
from ._ours import VERSIONS as OURS
from ._version import Version as Version


MODULES = {
    "optax": "_optax",
    "keras": "_keras",
    "torch": "_torch",
    "jaxopt": "_jaxopt",
    "sklearn": "_arrays",
    "statsmodels": "_arrays",
    "scipy": "_arrays",
}


def versions() -> tuple[list[Version], dict[str, str]]:
    """All versions of our losses in the libraries that can be imported, and for each other library why it cannot."""
    known = {version.loss for version in OURS}
    found: list[Version] = []
    missing: dict[str, str] = {}
    for module in dict.fromkeys(MODULES.values()):
        try:
            every = importlib.import_module(f"{__name__}.{module}").VERSIONS
            found += [version for version in every if version.loss in known]
        except ImportError as error:
            missing |= {library: str(error) for library, file in MODULES.items() if file == module}
    return found, missing


def lossopt_versions() -> list[Version]:
    """Ours, in the order of the register."""
    return OURS
