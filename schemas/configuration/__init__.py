"""What surrounds the settings: where they are given, what is in force, what a value may be."""
