"""Tests of notifications: what is told, to whom, and when it is tried again."""
