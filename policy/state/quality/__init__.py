"""What is counted of executions that succeed: how long, how dear, and how many were judged bad."""
