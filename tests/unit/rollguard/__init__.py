"""The public API and the command line, as far as they need no server."""
