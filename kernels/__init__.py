"""From `environment.yml` to a kernel people can choose, and what becomes of it afterwards.

Reading order is the order of the work: `projects` (what a client project says), `environment_yml`
(what it asks for), `solving` and `lock` (the exact packages), `build` (the environment), `check`
(does its kernel start?), `publish` (now people see it). `store` is where all of it stands. `conda`
is the only importer of py-rattler, `wheels` the only caller of uv and pip, `channels` says how
channels are reached, `site_channel` makes one where none answers.

Around a version: `changes` (of two locks), `history`, `rollback`, `review` (what `perijove check`
finds, with `advisories` and `exposure`). Disk: `room`, `caches`, `collect`, `damage`. A project's
beginning: `draft`, and `conflict` where its packages do not fit. Its way to a client's site:
`delivery`. `inside` runs in every environment. Nothing here knows of JupyterHub or Docker.
"""
