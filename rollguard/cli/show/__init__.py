"""What each verb prints: a table for a person, or one JSON document for a program."""
