"""The surroundings of the settings: where they are given, which are in force, which are valid."""
