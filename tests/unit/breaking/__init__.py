"""Tests of the code comparison: a table of cases, hostile code, properties, and griffe."""
