"""`python -m tests.fuzz.guided TARGET [options of libFuzzer]`: one target, by atheris."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["vathos", "tomllib", "email", "urllib3"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target.check)
    atheris.Fuzz()
