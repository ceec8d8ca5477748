"""`python -m lossopt` is the command `lossopt`."""

import sys

from .cli import main


if __name__ == "__main__":
    sys.exit(main())
