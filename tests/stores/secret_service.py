"""The contract on the Secret Service of a session bus; `test_keyring.py` runs it on one."""

from __future__ import annotations

import pytest

from tests.stores.contract import Factory, StoreContract
from vathos.stores.keyring import KeyringStore
from vathos.testing.store_contract import samples


class TestKeyringStoreInASecretService(StoreContract):
    """The contract, kept in the keyring of the desktop."""

    @pytest.fixture
    def factory(self) -> Factory:
        """Processes share the keyring of their user; what earlier tests left goes first."""
        store = KeyringStore()
        for identity in samples().identities:
            store.delete(identity)
        return KeyringStore

    def test_it_is_the_secret_service(self) -> None:
        """The `keyring` package has chosen the real thing."""
        print(KeyringStore())
        assert repr(KeyringStore()) == "KeyringStore(keyring.backends.SecretService)"
