"""Metrics that several roles have: what is measured, and how it is shown to Prometheus."""
