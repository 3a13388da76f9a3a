"""Tests of the stores: one contract, inherited by each of them."""

import pytest

pytest.register_assert_rewrite("tests.stores.contract")
