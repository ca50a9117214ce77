"""Consumers: subscriptions with a name and a durable checkpoint."""
