"""Tests of the parts of the console by themselves."""
