"""From a row and the next log entry to a command, or to words about it."""
