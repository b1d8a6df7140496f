"""Bad and hostile input, and attackers with the rights of an engine."""
