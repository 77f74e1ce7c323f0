"""The embedded mode: hub, proxy, nginx and workspaces as local processes, without Docker or root.

`tools` and `wall` say what the machine can do, `certificates` and `nginx` make the front door,
`accounts` the demonstration people, `platform` plans the processes, `supervisor` keeps them
running, `hub` talks to the hub's REST API.
"""
