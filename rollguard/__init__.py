"""Rollguard's front door: the command line, the engine client and the embedded stack."""
