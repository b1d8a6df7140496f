"""The deciders that are compared: the product's own policies, and what other tools do."""
