"""The surface of a module, which is what its callers can reach, read from its source code."""
