"""Each example with a scripted model: it goes on with the good version after a rollback."""
