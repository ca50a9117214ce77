"""A shop on evstore: orders that customers place, a read model of those that are open, and a process that ships.

    python -m tests.examples.shop.web sqlite:shop.db

`domain` decides, `openorders` answers questions, `shipping` reacts, `web` speaks HTTP.
"""
