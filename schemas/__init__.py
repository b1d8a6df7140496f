"""Messages of the contract, settings and errors: pure, and independent of every other room."""
