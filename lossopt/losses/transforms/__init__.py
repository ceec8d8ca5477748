"""Transforms: a loss in, a loss out, which can be bound, differentiated and compiled like any other.

The hyperparameters of the result are those of the transform, and `loss`, the loss inside. Where the losses inside have
cards, so has the result, derived from theirs.
"""

from ._choice import one_of as one_of
from ._clipped import clipped as clipped
from ._labels import label_smoothed as label_smoothed, noise_corrected as noise_corrected
from ._smoothed import smoothed as smoothed
from ._sums import asymmetric as asymmetric, mixture as mixture, scaled as scaled
