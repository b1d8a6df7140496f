"""Nothing lost, nothing twice: real workers under a seeded schedule of faults, then the books are
checked by a reader that shares no code with the product but the schemas.
"""
