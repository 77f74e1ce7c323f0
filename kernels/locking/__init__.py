"""From what a project asks for to its lock: exact packages, with hashes.

`solving` asks conda's solver and then pip's, `wheels` is the only caller of uv and pip, `lock` is
the file. `changes` tells two locks apart, `conflict` says why nothing fits and what would.
"""
