"""From ranges, limits and filters to bounded pages, and from pages to iterators."""
