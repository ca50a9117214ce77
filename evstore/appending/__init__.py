"""Preparation of events and units, and the meaning of outcomes."""
