"""The HTTP endpoints of a worker: the server, who may ask, and what a connection may cost."""
