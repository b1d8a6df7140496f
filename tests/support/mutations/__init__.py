"""Good messages and mutations of them.

Each mutation has a fate: ``good`` (the message must count), ``bad`` (it must become a dead letter)
or ``open`` (the contract does not say, or chance decides: either must happen, and not both). The
fate comes from the contract's section 'Validity', and not from the product.
"""
