"""Faust: the app, one batch for each fetch, the table and its rows on disk."""
