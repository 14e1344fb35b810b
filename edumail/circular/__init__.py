"""Circular 37/2020/TT-BGDĐT as data: its requirements, whom they bind, and verdicts on them."""
