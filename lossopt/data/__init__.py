"""Data sets: what a fit is given. Synthetic problems of known truth, contamination, real tables, readers of files."""

from ._contamination import (
    contaminate as contaminate,
    flip as flip,
    leverage as leverage,
    relabel as relabel,
    vertical as vertical,
)
from ._csv import read_csv as read_csv
from ._dataset import check as check, Dataset as Dataset, spread as spread, traced as traced, validate as validate
from ._noise import gaussian as gaussian, laplace as laplace, skewed as skewed, student as student
from ._parquet import read_parquet as read_parquet
from ._stored import Stored as Stored
from ._synthetic import (
    binary_problem as binary_problem,
    binary_truth as binary_truth,
    linear_problem as linear_problem,
    multiclass_problem as multiclass_problem,
    multiclass_truth as multiclass_truth,
)
from ._table import Table as Table
from ._tables import describe as describe, load as load, names as names
