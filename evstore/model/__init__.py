"""The values that pass through evstore: immutable, without I/O."""
