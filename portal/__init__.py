"""The project: configuration only, no domain words."""
