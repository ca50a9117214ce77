"""The clauses of the contract as tests, a chapter a module."""
