"""Coverage-guided fuzzing of what reads text from outside. Apart from the tests, which try the same targets briefly."""
