"""A system that is reached through a console, over HTTP."""
