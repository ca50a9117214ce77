"""Measures that run in an interpreter of their own, with evstore's packages: floors, and the library."""
