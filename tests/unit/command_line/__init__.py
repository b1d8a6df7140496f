"""Tests of what a person gives to the command line, and of what it prints."""
