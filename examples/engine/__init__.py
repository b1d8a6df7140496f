"""A small engine: it runs real tools over the sources of the standard library, and publishes runs.

To begin an engine of your own, copy this folder, and replace the tools and the catalogue.
`__main__` connects the parts, `engine` calls tools, `runs` says what was published.
"""
