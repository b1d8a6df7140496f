"""What a new version of a tool's code breaks for its callers, found without running it.

finding      what is said of one difference
compare      the question, pure: `compare_code`
reading      from source to `surface`, what callers can reach of a module; with `blocks`,
             `definitions`, `exports` and `fields` for the parts of it
members      how two of the same name differ; with `classes`, `functions`, `parameters`,
             `annotations` and, for what a class has from its bases, `lineage`
analyst      the question put to a process of its own, for async code; `child` is that process
"""
