"""Scripts that run in the environment of the peers: they import nothing of evstore or of the tests."""
