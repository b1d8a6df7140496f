"""Texts of errors as Python writes them."""

from typing import Final

TRACEBACK: Final = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'
GROUP: Final = """  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 2, in <module>
  |     raise ExceptionGroup('g', errors)
  | {name}: g (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | OSError: TypeError: no
    +---------------- 2 ----------------
    | {leaf}: 1
    +------------------------------------
"""
