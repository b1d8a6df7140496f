"""A small engine: it runs real tools over the sources of the standard library, and publishes runs.

To begin an engine of your own, copy this folder, and replace the tools and the catalogue.
`__main__` connects the parts, `engine` calls tools and publishes executions, `tool_process` runs
one version of a tool.
"""
