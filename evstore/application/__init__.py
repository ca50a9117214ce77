"""The application's own event classes: their names, their codec, and the methods that handle them."""
