"""The simulated worlds: versions whose truth is known, drawn by a seeded generator."""
