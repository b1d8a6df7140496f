"""What is decided: the verdict (pure), and the agents of the three roles."""
