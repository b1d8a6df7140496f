"""Tests of targets and limits of automatic rollbacks."""
