"""From events and bytes to units that can be stored, and from outcomes to what they mean."""
