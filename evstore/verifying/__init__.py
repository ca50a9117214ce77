"""Checks of a store against what evstore promises."""
