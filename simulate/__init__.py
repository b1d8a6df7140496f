"""Simulation of what each policy does to versions whose truth is known: ``make simulate``.

A scenario (``simulate.worlds.scenarios``) says how good a version is and how good its baseline
version was. A decider (``simulate.deciders.decider``) sees one execution after the other
and says when it would roll the version back. All deciders see the same draws.

Tools that share a partition (``simulate.worlds.outage``) and callers that share a tool
(``simulate.worlds.caller``) are judged by the detector's own fold
(``simulate.worlds.detector``). ``python -m simulate --help`` lists the sizes.
"""
