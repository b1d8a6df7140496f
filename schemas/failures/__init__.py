"""How the class of an exception is read from the texts of a failure."""
