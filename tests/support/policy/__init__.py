"""Logs, the oracle and functions that fold logs, for the tests of the policy."""
