"""From events and facts to bytes."""
