"""The oracle: the rules of the contract, section 2, written plainly and without regard to speed.

At every execution everything is computed anew from the whole log up to it. Only the issued commands
are kept. The oracle uses neither the windows of the product nor its counts under policy `guarded`.
It uses the weighing of counts, which ``tests/unit/policy/weighing/test_weighing.py`` compares with
exact fractions.
"""
