"""Pure parts of the roles and the worker."""
