"""The pure parts of the roles and of the worker."""
