"""Tests against a broker and a database."""
