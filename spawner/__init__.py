"""Who may see what, and starting it.

The deciding modules are pure functions over frozen values: `access` (groups to grants), `limits`,
`names` and `plan` (all of it together: the `Workspace`). `entitlement` applies the plan at every
spawn; `process` is the engine that carries it out with bubblewrap. `settings` is where the hub's
environment variables are read, `accounts` where people without an identity provider log in.
"""
