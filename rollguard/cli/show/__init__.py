"""The output of each verb: a table for a person, or one JSON document for a program."""
