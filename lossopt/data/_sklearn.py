"""The tables that scikit-learn carries, loaded from it when asked for; scikit-learn is imported nowhere else."""

import importlib
import importlib.util
from typing import Any

import numpy as np

from ._table import Table


# name: (task, target, source, note)
CATALOGUE = {
    "diabetes": (
        "regression",
        "progression",
        "Efron, Hastie, Johnstone & Tibshirani (2004), Least angle regression, Annals of Statistics 32, 407-499",
        "Disease progression after one year. Each feature is centred and scaled to a sum of squares of 1.",
    ),
    "breast_cancer": (
        "binary",
        "diagnosis",
        "Street, Wolberg & Mangasarian (1993), Nuclear feature extraction for breast tumor diagnosis, "
        "Proc. SPIE 1905, 861-870",
        "Class 1 is benign, as scikit-learn has it: the other way round from biopsy.",
    ),
    "iris": (
        "multiclass",
        "species",
        "Fisher (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, 179-188",
        "Class 0 is linearly separable from the others.",
    ),
    "wine": (
        "multiclass",
        "cultivar",
        "Forina et al. (1988), PARVUS, Institute of Pharmaceutical and Food Analysis and Technologies, Genoa",
        "Chemical analysis of wines from three cultivars. The scales of the features differ by a factor of 1000.",
    ),
    "digits": (
        "multiclass",
        "digit",
        "Alpaydin & Kaynak (1998), Optical recognition of handwritten digits, UCI Machine Learning "
        "Repository, the test part",
        "8 by 8 pixels of ink, 0 to 16.",
    ),
}


def installed() -> bool:
    """Whether scikit-learn can be imported; it is not."""
    return importlib.util.find_spec("sklearn") is not None


def describe(name: str) -> Table:
    """The `Table` of one of the `CATALOGUE`. `ImportError` where scikit-learn is missing."""
    task, target, source, note = CATALOGUE[name]
    bunch = _bunch(name)
    return Table(
        name=name,
        task=task,
        features=tuple(str(column) for column in bunch.feature_names),
        target=target,
        rows=len(bunch.target),
        source=source,
        note=note,
        classes=() if task == "regression" else tuple(str(label) for label in bunch.target_names),
    )


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The (rows, columns) features and the (rows,) targets. `ImportError` where scikit-learn is missing."""
    bunch = _bunch(name)
    return bunch.data, bunch.target


def _bunch(name: str) -> Any:
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(
            f'the table {name!r} comes with scikit-learn, which is not installed; run pip install "lossopt[data]".'
        ) from error
    return getattr(datasets, f"load_{name}")()
