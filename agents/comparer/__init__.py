"""The child process that compares old code with new code, and its time limit."""
