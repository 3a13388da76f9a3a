"""Other libraries with the tokens of a source: each module is imported only by who names it."""
