"""`python -m vathos` is the command line; a file of its own, as Python asks for it."""

from __future__ import annotations

import sys

from vathos.cli import main

if __name__ == "__main__":
    sys.exit(main())
