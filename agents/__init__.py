"""The three roles, each in a room of its own, and the process that runs one of them."""
