"""One module for each benchmark; each can be run by itself with `python -m`."""
