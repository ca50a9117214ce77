"""Adapters broken on purpose: the reference adapter with one planted bug each, mostly those of real stores.

Each names the clause that it breaks. A chapter of the contract has a module.
"""
