"""Prometheus in tests: its programs, the queries of our rules and of our board, and its server."""
