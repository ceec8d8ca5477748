"""The comparison of numerics with other libraries: what it says of a loss that everybody has right."""

import numpy as np
import pytest

from benchmarks import numerics
from lossopt import losses, report


@pytest.fixture(scope="module")
def results():
    return numerics.run(["absolute_error"], report.silent)


def test_every_library_is_a_row_a_dtype(results):
    assert {row["dtype"] for row in results.rows} == {"float32", "float64"}
    assert {"lossopt", "sklearn"} <= {row["library"] for row in results.rows}
    for row in results.rows:
        if row["library"] in ("lossopt", "sklearn"):
            assert row["value"] == 0
            assert row["nan"] == 0


def test_the_claims_hold(results):
    assert not results.failed


def test_a_wrong_factor_is_seen():
    from benchmarks.peers import lossopt_versions, measured

    (ours,) = (version for version in lossopt_versions() if version.loss == "absolute_error")
    worst = measured(ours._replace(factor=2.0), np.float32)
    assert worst["value"].error == pytest.approx(1.0)
    assert worst["reverse"].error == pytest.approx(1.0)


def test_an_alias_has_the_factor_under_which_the_benchmark_measures_it():
    from benchmarks.peers import versions

    found = {(version.loss, version.function): version for version in versions()[0]}
    claimed = [
        (name, alias, factor)
        for name in losses.names()
        for alias, factor in losses.claims(losses.get(name)).aliases.items()
        if (name, alias) in found
    ]
    assert len(claimed) > 25
    for name, alias, factor in claimed:
        version, given = found[name, alias], losses.hyperparameters(losses.get(name))
        assert (float(version.scale(given)), float(version.constant(2.0, given))) == (factor, 0.0), alias


def test_the_table_is_markdown(results):
    header, rule, first, *_ = numerics.table(results).splitlines()
    assert header.startswith("| loss | function | float32 | float64 | NaN |")
    assert first.startswith("| `absolute_error` | `lossopt.losses.absolute_error` | 0, 0, 0 | 0, 0, 0 | 0 |")
    assert rule.count("---") == header.count("|") - 1


def test_saved_results_give_the_same_table(results, tmp_path):
    report.save(results, tmp_path)
    assert numerics.table(report.load(tmp_path / "numerics").results) == numerics.table(results)
