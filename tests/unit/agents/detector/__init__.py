"""The pure parts of the detector."""
