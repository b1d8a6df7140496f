"""How Rollguard is used."""
