"""The pure parts of the applier."""
