"""Training: `fit` and `minimise`, one compiled scan over any optax optimiser."""

from ._loop import Fit as Fit, Info as Info, State as State
from ._train import fit as fit, minimise as minimise, objective_of as objective_of
