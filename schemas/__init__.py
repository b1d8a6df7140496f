"""What is said: the messages of the contract, the settings and the errors. Pure; pydantic only."""
