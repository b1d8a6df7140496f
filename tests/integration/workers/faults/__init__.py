"""Servers that go away, topics that change, locks, backlogs and stuck workers."""
