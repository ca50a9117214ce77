"""JSON as text: judged, split and sliced. Nothing here knows an event class."""
