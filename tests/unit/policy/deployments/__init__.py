"""Deployments: what stops them."""
