"""Chaos runs: real workers under a seeded schedule of faults, and then an audit of the results.

Nothing may be lost and nothing may count twice. The only product code that the audit uses are the
schemas and, under policy `guarded`, the fold.
"""
