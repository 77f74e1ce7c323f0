"""From a lock to an environment that counts: installed, compiled, read-only, its kernel checked.

`build` is the order of the steps; every other module is one of them. `inside` is the one module
that runs in environments, not here.
"""
