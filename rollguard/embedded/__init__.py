"""The embedded stack: a broker and Postgres from PyPI packages, and workers, on this machine."""
