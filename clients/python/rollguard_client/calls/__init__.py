"""The decorator: a call of a tool becomes an execution, and is otherwise left alone."""
