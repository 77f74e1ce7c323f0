"""What an archive brings along: programs that run at the client's site, on the archive's Python.

They import nothing but the standard library, of whatever Python the project asked for (3.8 on), and
nothing of Perijove; Perijove imports `move`, so that describing places and moving them agree.
"""
