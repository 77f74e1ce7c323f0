"""From `environment.yml` to a kernel people can choose, and what becomes of it afterwards.

The folders are in the order of the work: `draft` (a project begins), `locking` (exact packages),
`building` (the environment; does its kernel start?), `publishing` (now people see it), `reviewing`
(what is wrong with it by now), `disk` (what it takes), `delivery` (its way to a client's site).

The modules are what all of them stand on: `projects` and `environment_yml` (what a client project
says), `names`, `platform`, `channels` (how channels are reached), `store` (where everything is),
`history` and `commits` (who did what), `sandbox`, `files`, `errors`. `conda` is the only importer
of py-rattler; `site_channel` makes a channel where none answers. Nothing here knows of JupyterHub
or Docker.
"""
