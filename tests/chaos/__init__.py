"""Nothing lost, nothing twice: real workers under a seeded schedule of faults, then the state are
checked by a reader that shares no code with the product but the schemas.
"""
