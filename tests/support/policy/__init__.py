"""What tests of the policy share: logs, the oracle, and how a log is folded."""
