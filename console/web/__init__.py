"""The web server: who may ask, how much may be sent, and how long a connection may last."""
