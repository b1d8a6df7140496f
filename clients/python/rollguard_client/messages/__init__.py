"""What is said: the public messages, as the server's own models have them."""
