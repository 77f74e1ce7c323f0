"""How Perijove configures JupyterHub. Wiring only: what decides stands in `spawner/`."""

import os

from spawner.accounts import ADMIN, LocalAccounts, load_first_passwords
from spawner.docker import DockerEngine
from spawner.entitlement import plan_at_spawn
from spawner.groups import ADMINS, plan_groups
from spawner.process import ProcessSpawner
from spawner.settings import CHECKOUT, load_settings

settings = load_settings(os.environ)

# The hub stands behind nginx (TLS) and a proxy of its own, so that restarting it drops nobody.
c.JupyterHub.bind_url = settings.proxy_url
c.JupyterHub.hub_bind_url = settings.hub_url
c.JupyterHub.hub_connect_url = settings.hub_connect_url
c.JupyterHub.public_url = settings.public_url
c.JupyterHub.trusted_downstream_ips = ["127.0.0.1", "::1"]
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = settings.proxy_api_url
c.ConfigurableHTTPProxy.auth_token = settings.proxy_token
# An origin for every workspace: a page of one can ask neither another nor the hub for anything.
c.JupyterHub.subdomain_host = settings.subdomain_host
c.JupyterHub.cookie_host_prefix_enabled = settings.subdomains
c.JupyterHub.last_activity_interval = 5  # also how soon a proxy that restarted has its routes again

# What the hub keeps. Killed and started again it finds all workspaces. On SIGTERM it ends those
# that are local processes; containers go on: the hub can be replaced while people work.
c.JupyterHub.db_url = settings.database_url
c.JupyterHub.cookie_secret_file = str(settings.state / "cookie_secret")
c.JupyterHub.cleanup_servers = settings.docker is None
c.JupyterHub.cleanup_proxy = False

# Who may come in. A group for each client and project; members are edited on the hub's own pages.
c.JupyterHub.authenticator_class = LocalAccounts
c.LocalAccounts.first_passwords = load_first_passwords(settings)
c.LocalAccounts.allow_all = True  # every account an admin has approved
c.LocalAccounts.minimum_password_length = 10
c.LocalAccounts.check_common_password = True
c.LocalAccounts.allowed_failed_logins = 10
c.LocalAccounts.seconds_before_next_try = 60
c.JupyterHub.template_paths = [str(CHECKOUT / "spawner/templates")]
c.JupyterHub.template_vars = {
    "announcement_login": '<a href="/hub/signup">Sign up</a> for an account; an admin lets you in.'
}
admin = ADMIN if settings.admin_password else None
c.JupyterHub.load_groups = plan_groups(settings.projects, admin)
c.JupyterHub.token_expires_in_max_seconds = 30 * 24 * 3600
c.JupyterHub.oauth_require_pkce = True

# What a workspace is. The plan is made anew at every spawn, after everything a user can influence.
c.JupyterHub.spawner_class = DockerEngine if settings.docker else ProcessSpawner
c.JupyterHub.allow_named_servers = False
c.PlannedSpawner.settings = settings
c.PlannedSpawner.pre_spawn_hook = plan_at_spawn
c.PlannedSpawner.poll_interval = 5  # also how soon a lost entitlement ends a workspace
c.PlannedSpawner.default_url = "/lab"
c.PlannedSpawner.disable_user_config = True
c.PlannedSpawner.env_keep = []

# The `perijove` command asks the hub in its own name.
c.JupyterHub.services = [{"name": "perijove", "api_token": settings.service_token}]
c.JupyterHub.load_roles = [
    {
        # Members of the group `admins`. JupyterHub's own `admin` role opens everybody's server, and
        # cannot be cut down: nobody has it.
        "name": "people-admin",
        "description": "Manages people and their servers, without access to what is in them",
        "scopes": [
            "admin-ui",
            "admin:users",
            "admin:servers",  # start and stop; access is another scope
            "admin:groups",
            "list:services",
            "read:services",
            "read:roles",
            "read:hub",
            "read:metrics",
        ],
        "groups": [ADMINS],
    },
    {
        "name": "perijove",
        "scopes": [
            "admin:users",  # make the demonstration accounts, once
            "admin:groups",  # and put them into their groups
            "list:users",  # tell in `perijove status` who has a workspace
            "read:servers",
        ],
        "services": ["perijove"],
    },
]
