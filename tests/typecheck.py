"""How annotations are checked while the tests run: an int is a float, as in Python's own typing rules."""

from beartype import beartype, BeartypeConf


checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
