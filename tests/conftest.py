"""Strict settings for every test: float64 available, no silent promotion, annotations checked."""

# Before JAX starts: the experiments' compiler flags, under which the tests take half the time.
import experiments  # noqa: F401, I001

import gc
import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook


# Each worker has one core, so the parts of a programme need not be compiled side by side, if XLA's release knows that.
if metadata.version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] += " --xla_cpu_parallel_codegen_split_count=1"
# Tracing makes objects by the million, and few of them are garbage.
gc.set_threshold(200_000, 50, 100)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Where in the source an operation comes from is a twentieth of compiling.
jax.config.update("jax_traceback_in_locations_limit", 0)

# What `make check` tests and `make test` leaves out, more than half of the time of all: certificates at the edges,
# others' values, tables that are long, stored, spread or lopsided, losses of a kind of their own or solved together,
# derivatives of minima, tuning, experiments.
THOROUGH = [
    "test_solve_certificates.py", "test_experiments.py", "test_solve_derivatives.py", "test_solve_large.py",
    "test_asymptotics.py", "test_sharding.py", "test_solve_lone.py", "test_solve_long.py", "test_solve_lbfgs.py",
    "test_solve_stored.py", "test_solve_counts.py", "test_solve_multiclass_margin.py", "test_solve_rounding.py",
    "test_solve_transforms.py", "test_loss_edges.py", "test_loss_traps.py", "test_solve_absolute_lines.py",
    "test_sweep_alike.py", "test_solve_absolute.py", "test_solve_reference.py",
]  # fmt: skip
# The files that take longest, so that they start first and both workers end together.
LONGEST = [
    "test_losses.py", "test_solve.py", *THOROUGH, "test_sweep.py", "test_properties.py", "test_transforms.py",
    "test_train.py", "test_readme.py",
]  # fmt: skip


SCIPY_MARKERS = (
    "slow", "xslow", "fail_slow", "timeout", "xfail_on_32bit", "array_api_backends", "array_api_compatible",
    "skip_xp_backends", "xfail_xp_backends", "uses_xp_capabilities", "parallel_threads", "parallel_threads_limit",
    "thread_unsafe", "iterations",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the thorough files, and put the longest first; the order within a file stays."""
    for item in items:
        if item.path.name in THOROUGH:
            item.add_marker("thorough")
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_configure(config: pytest.Config) -> None:
    """SciPy's own tests, which tests/peers borrows, carry markers of theirs."""
    for name in SCIPY_MARKERS:
        config.addinivalue_line("markers", f"{name}: of SciPy's, not applied here")
    config.addinivalue_line("markers", "thorough: left to `make check`")
    worker = hasattr(config, "workerinput")
    if config.pluginmanager.hasplugin("cacheprovider"):
        _keep_compiled(config.cache.mkdir("compiled"), tidy=not worker)
    if worker or not config.getoption("numprocesses"):
        _import_checked()


# The bytes of compiled programmes from which on they are thrown away: those of many versions of the package.
MANY = 2**30


def _keep_compiled(folder: Path, *, tidy: bool) -> None:
    """Take what an earlier run has compiled, which of compiling leaves the tracing."""
    if tidy and sum(file.stat().st_size for file in folder.iterdir()) > MANY:
        shutil.rmtree(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


# Small functions that measuring a card calls a hundred thousand times, of arrays of NumPy's that are never traced.
UNCHECKED = {"lossopt.properties._subject", "lossopt.properties._lines", "lossopt.properties._kinks"}


def _import_checked() -> None:
    """Import the package so that each of its annotations is checked: seconds that a controller can spare."""
    package = Path(__file__).parent.parent / "lossopt"
    files = [path.relative_to(package.parent).with_suffix("").parts for path in package.rglob("*.py")]
    modules = [".".join(parts).removesuffix(".__init__") for parts in files]
    # A module stands for all that is inside it.
    leaves = [name for name in modules if not any(other.startswith(f"{name}.") for other in modules)]
    with install_import_hook(sorted({*leaves} - UNCHECKED), "typecheck.checked"):
        from lossopt import analysis, asymptotics, cli, cost, properties, scale, solve, train  # noqa: F401


settings.register_profile("deterministic", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("deterministic")


@pytest.fixture(autouse=True, scope="module")
def forgotten(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop what a long file has compiled, of which the next ones use little: gigabytes in all."""
    yield
    if request.path.name in LONGEST:
        jax.clear_caches()


@pytest.fixture
def key() -> jax.Array:
    """One fixed source of randomness."""
    return jax.random.key(0)


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods by which tables are solved from here on, in order."""
    from problems import forget

    from lossopt.solve import _programme

    called: list[str] = []

    def noted(name: str) -> Any:
        method = _programme.ALGORITHMS[name]
        return lambda *arguments: called.append(name) or method(*arguments)

    monkeypatch.setattr(_programme, "ALGORITHMS", {name: noted(name) for name in _programme.ALGORITHMS})
    forget()
    return called
