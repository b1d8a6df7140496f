"""What a policy does to versions whose truth is known: ``make simulate``.

A scenario (``simulate.scenarios``) says how a version and its target do; a policy
(``simulate.policies``) sees one execution after the other and says when it would roll back. All
policies see the same draws. ``python -m simulate --help`` has the sizes.
"""
