"""The pages that people read in a browser: each a view of what the API's questions return."""
