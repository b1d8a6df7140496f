"""Tests of whole programs, as people use them: command line, demo, examples."""
