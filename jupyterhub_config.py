"""How Perijove configures JupyterHub. Wiring only: what decides stands in `spawner/`."""

import os

from spawner.accounts import LocalAccounts
from spawner.entitlement import plan_at_spawn
from spawner.groups import ADMINS, plan_groups
from spawner.process import ProcessSpawner
from spawner.settings import load_settings

settings = load_settings(os.environ)

# The hub stands behind nginx (TLS) and a proxy of its own, so that restarting it drops nobody.
c.JupyterHub.bind_url = f"http://127.0.0.1:{settings.proxy_port}/"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}/hub/"
c.JupyterHub.public_url = settings.public_url
c.JupyterHub.trusted_downstream_ips = ["127.0.0.1", "::1"]
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.proxy_api_port}"
c.ConfigurableHTTPProxy.auth_token = settings.proxy_token
c.JupyterHub.last_activity_interval = 5  # also how soon a proxy that restarted has its routes again

# What the hub keeps. On SIGTERM it ends all workspaces; killed and started again it finds them.
c.JupyterHub.db_url = f"sqlite:///{settings.state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(settings.state / "cookie_secret")
c.JupyterHub.cleanup_servers = True
c.JupyterHub.cleanup_proxy = False

# Who may come in. A group for each client and project; members are edited on the hub's own pages.
c.JupyterHub.authenticator_class = LocalAccounts
c.LocalAccounts.accounts_file = str(settings.accounts)
c.LocalAccounts.allow_all = True  # every account an admin has approved
c.LocalAccounts.minimum_password_length = 10
c.LocalAccounts.check_common_password = True
c.LocalAccounts.allowed_failed_logins = 10
c.LocalAccounts.seconds_before_next_try = 60
c.JupyterHub.template_vars = {
    "announcement_login": '<a href="/hub/signup">Sign up</a> for an account; an admin lets you in.'
}
c.JupyterHub.load_groups = plan_groups(settings.projects)
c.JupyterHub.token_expires_in_max_seconds = 30 * 24 * 3600
c.JupyterHub.oauth_require_pkce = True

# What a workspace is. The plan is made anew at every spawn, after everything a user can influence.
c.JupyterHub.spawner_class = ProcessSpawner
c.JupyterHub.allow_named_servers = False
c.ProcessSpawner.settings = settings
c.ProcessSpawner.pre_spawn_hook = plan_at_spawn
c.ProcessSpawner.poll_interval = 5  # also how soon a lost entitlement ends a workspace
c.ProcessSpawner.default_url = "/lab"
c.ProcessSpawner.disable_user_config = True
c.ProcessSpawner.env_keep = []

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
