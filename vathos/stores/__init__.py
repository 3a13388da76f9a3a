"""Where tokens are kept between uses.

`vathos.stores.memory.MemoryStore` keeps them in this process; it is the default, and all sessions
with the same identity share it.
Any object with the four methods of `vathos.stores.base.TokenStore` is a store.
"""
