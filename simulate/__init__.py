"""What a policy does to versions whose truth is known: ``make simulate``.

A scenario (``simulate.worlds.scenarios``) says how a version and its target do; a policy
(``simulate.deciders.decider``) sees one execution after the other and says when it would roll
back. All policies see the same draws. Tools that share a partition (``simulate.worlds.outage``) and
callers that share a tool (``simulate.worlds.caller``) are judged by the detector's own fold
(``simulate.worlds.detector``). ``python -m simulate --help`` has the sizes.
"""
