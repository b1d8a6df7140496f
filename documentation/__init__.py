"""The generator of the reference pages: it reads the code and writes Markdown for the site."""
