"""Traces that roles send, and spans that the bridge reads."""
