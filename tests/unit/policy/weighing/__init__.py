"""Tests of the statistics and of the weighing of evidence."""
