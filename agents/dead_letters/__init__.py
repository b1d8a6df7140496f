"""Dead letters, as the roles that write them limit, count and log them."""
