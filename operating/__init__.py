"""Running an installation over the years: is all well, keep a copy, bring it back.

`perijove doctor`, `backup` and `restore` are thin; what they do is here. Imports `spawner` and
`kernels`, and is imported by the command line alone.
"""
