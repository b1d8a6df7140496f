"""Files of our user that are safe to read, and that are replaced as a whole."""
