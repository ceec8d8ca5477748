"""Every experiment runs small, its claims hold, and what it saves is whole."""

import importlib

import numpy as np
import pytest

from experiments import NAMES
from lossopt import report


@pytest.fixture(scope="module", params=NAMES)
def experiment(request):
    module = importlib.import_module(f"experiments.{request.param}")
    return module, module.run(seed=0, quick=True, progress=report.silent)


def test_every_claim_holds(experiment):
    _, results = experiment
    assert results.claims
    assert not [str(claim) for claim in results.failed]


def test_figures_have_captions_and_no_empty_panel(experiment):
    module, results = experiment
    figures = module.plot(results)
    assert set(figures) == set(results.captions)
    for figure in figures.values():
        for axes in figure.axes:
            assert axes.has_data()
            assert axes.get_xlabel()


def test_table_is_tidy_and_finite(experiment):
    _, results = experiment
    assert results.rows
    for row in results.rows:
        assert all(np.isfinite(value) or value == np.inf for value in row.values() if isinstance(value, float))


def test_docstring_states_question_design_and_claims(experiment):
    module, _ = experiment
    question, design = module.__doc__.split("\n\n")[0], module.__doc__
    assert question.rstrip().endswith("?")
    assert "Design." in design
    assert "Claims." in design


def test_experiments_are_listed_once():
    assert len(set(NAMES)) == len(NAMES)
