"""The client of Rollguard: it publishes executions of tools, and follows their versions."""
