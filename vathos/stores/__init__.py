"""Where tokens are kept between uses.

| store | shared by | needs |
|---|---|---|
| `vathos.stores.memory.MemoryStore` | the threads of this process; the default | nothing |
| `vathos.stores.file.FileStore` | the processes of this user on this machine | the extra `file` |
| `vathos.stores.keyring.KeyringStore` | the same, encrypted by the desktop | the extra `keyring` |
| `vathos.stores.redis.RedisStore` | a fleet of machines, encrypted | the extra `redis` |

`vathos.stores.urls.open_store` names each of them by a URL. Any object with the four methods of
`vathos.stores.base.TokenStore` is a store.
"""
