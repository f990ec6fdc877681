"""`Target` -> an `Image` with ``run``: the single doorway to compilers and browsers."""
