"""Tests of the threshold rules."""
