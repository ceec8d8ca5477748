"""The exact minimum of a cost, with a certificate: `solve`, and one file an algorithm."""

from ._solve import Solution as Solution, solve as solve
