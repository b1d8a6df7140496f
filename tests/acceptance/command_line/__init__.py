"""Tests of the command line as a whole: its streams, its waits, its output."""
