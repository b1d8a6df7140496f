"""Deployments: whether they become versions, and their outcomes."""
