"""Dead letters: reading them, repairing bad records, and sending them again."""
