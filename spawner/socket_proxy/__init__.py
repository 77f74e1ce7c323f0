"""The hub's only way to the Docker engine: passes on the few calls it needs, and nothing else.

Who holds the engine's socket is root on the host. So the hub is given this socket instead: a hub
that is taken over can start and stop workspaces, walled as always, and do nothing more. What is not
allowed by name is refused, in the bodies of calls too.

Reading order is the way a call takes: `relay` (from socket to socket), `request` (parsed, once),
`rules` and `actions` (which calls there are), `containers`, `mounts`, `networks` and `labels` (what
they may hold, in the terms of `shapes`), all of it for one `policy`, with `calls` as the outcome.
Only `relay` and `__main__` act.
"""
