"""The embedded stack: a broker, Postgres and workers from PyPI packages, on this machine."""
