"""Files of our user: where they are kept, and which are safe to read."""
