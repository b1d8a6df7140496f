"""What is told to whom, in which words, and when it is tried again; pure."""
