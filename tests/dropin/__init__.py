"""The suites of the parent classes, with `VathosSession` in their place."""
