"""The demo, room by room."""
