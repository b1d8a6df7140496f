"""Tests of policy `guarded`."""
