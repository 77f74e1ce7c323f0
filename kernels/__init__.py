"""From `environment.yml` to a kernel people can choose.

Reading order is the order of the work: `projects` (what a client project says), `environment_yml`
(what it asks for), `lock` (the exact packages), `build` (the environment), `check` (does its kernel
start?), `publish` (now people see it). `store` is where all of it stands. `conda` is the only
importer of py-rattler, `wheels` the only caller of uv and pip, `site_channel` makes a conda channel
where none answers. Nothing here knows of JupyterHub or Docker.
"""
