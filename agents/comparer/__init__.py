"""The comparison of old code with new code in a child process that has a time limit."""
