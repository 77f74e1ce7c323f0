"""The calls there are: for each its method, its path, its parameters and its body. Pure.

The table at the end is all of it. A path is matched as it came: what is encoded or dotted in it is
in no rule, except an image's name, which is decoded once and must be one that is allowed.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

from spawner.socket_proxy.actions import FLAG, NO_BODY, plan_action
from spawner.socket_proxy.calls import Call
from spawner.socket_proxy.containers import container
from spawner.socket_proxy.labels import filters
from spawner.socket_proxy.networks import network
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import Request
from spawner.socket_proxy.shapes import Check, RefusedError, any_text, keys, optional, text

_Rule = Callable[[Request, re.Match[str], Policy], Call]


def plan_call(request: Request, policy: Policy) -> Call:
    """What may go on to the engine of a request; that what it is about is ours comes later.

    Raises:
        RefusedError: it is not allowed; the text says what was found and what is allowed.
    """
    for path, rule in _RULES:
        if (match := path.fullmatch(f"{request.method} {request.path}")) is not None:
            return rule(request, match, policy)
    raise RefusedError("this call is not among those that are allowed")


def _check(request: Request, query: Mapping[str, Check], body: Check = NO_BODY) -> None:
    keys(query)(request.query, "query")
    body(request.body, "")


def _plain(request: Request, _: re.Match[str], __: Policy) -> Call:
    _check(request, {})
    return Call(request, request.path)


def _image(request: Request, match: re.Match[str], policy: Policy) -> Call:
    image = unquote(match["image"])
    if image not in policy.images:
        raise RefusedError(f"the image {image!r} is none of workspaces")
    _check(request, {})
    return Call(request, f"/images/{quote(image, safe='/:@')}/json")


def _list_containers(request: Request, _: re.Match[str], policy: Policy) -> Call:
    query = dict.fromkeys(("all", "size", "trunc_cmd"), FLAG)
    limit = optional(text("-1|[0-9]{1,9}", "a number"))
    _check(request, {**query, "limit": limit, "filters": filters(policy, "id", "name", "status")})
    return Call(request, request.path)


def _list_networks(request: Request, _: re.Match[str], policy: Policy) -> Call:
    _check(request, {"filters": filters(policy, "id", "name")})
    return Call(request, request.path)


def _create_container(request: Request, _: re.Match[str], policy: Policy) -> Call:
    name = request.query.get("name", "")
    home = policy.find_home(name)
    if home is None:
        raise RefusedError(f"query.name is {name!r}; it must be {policy.project}-workspace-<name>")
    query = {"name": any_text, "platform": optional(text("[a-z0-9/]+", "a platform"))}
    _check(request, query, container(name, home, policy))
    return Call(request, request.path)


def _create_network(request: Request, _: re.Match[str], policy: Policy) -> Call:
    _check(request, {}, network(policy))
    return Call(request, request.path)


def _act(request: Request, match: re.Match[str], policy: Policy) -> Call:
    return plan_action(request, match["kind"], match["name"], match["action"], policy)


_RULES: tuple[tuple[re.Pattern[str], _Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        ("(GET|HEAD) /_ping", _plain),
        ("GET /version", _plain),
        ("GET /images/(?P<image>.+)/json", _image),
        ("GET /containers/json", _list_containers),
        ("POST /containers/create", _create_container),
        ("GET /networks", _list_networks),
        ("POST /networks/create", _create_network),
        (
            "[A-Z]+ /(?P<kind>containers|networks)/(?P<name>[A-Za-z0-9_-]+)(?P<action>(/[a-z]+)?)",
            _act,
        ),
    )
)
