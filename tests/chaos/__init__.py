"""Chaos runs: real workers under a seeded schedule of faults, then an audit of what they left.

Nothing may be lost and nothing may count twice. The audit shares no code with the product but the
schemas (and, under policy `guarded`, the fold).
"""
