"""Simulation of what each policy does to versions whose truth is known: ``make simulate``.

A scenario (:mod:`simulate.worlds.scenarios`) says how good a version is and how good its baseline
version was. A decider (:mod:`simulate.deciders.decider`) sees one execution after the other
and says when it would roll the version back. All deciders see the same draws.

Tools that share a partition (:mod:`simulate.worlds.outage`) and callers that share a tool
(:mod:`simulate.worlds.caller`) are judged by the detector's own fold
(:mod:`simulate.worlds.detector`). ``python -m simulate --help`` lists the sizes.
"""
