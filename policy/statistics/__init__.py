"""Bounds and confidence intervals of rates."""
