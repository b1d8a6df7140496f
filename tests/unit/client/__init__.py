"""The client (`clients/python`) is held to what the server says."""
