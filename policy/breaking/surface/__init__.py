"""What a module offers to its callers, read from its source code."""
