"""The web server: how much may be sent, for how long, and what is said in every answer."""
