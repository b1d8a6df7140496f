"""Who says what: statements, their signatures, and the keys that may say them.

What checks and signs needs ``rollguard-client[signatures]``; what is imported without it is
``statements`` alone.
"""
