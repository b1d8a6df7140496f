"""Where files of our user are kept."""
