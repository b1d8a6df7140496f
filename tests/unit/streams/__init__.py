"""The parts of `streams` that need no broker."""
