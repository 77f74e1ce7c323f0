"""Only the calls that the hub needs are allowed, each in one spelling."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from spawner.socket_proxy.calls import Reference, find_id
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import load_request
from spawner.socket_proxy.rules import plan_call
from spawner.socket_proxy.shapes import RefusedError

NAME = "perijove-workspace-ana"
ID = "4f5e6d7c8b9a" * 5 + "4f5e"
OURS = quote(json.dumps({"label": ["perijove.project=perijove"]}))


def sent(call: str, policy: Policy) -> str:
    """Where an allowed call goes, about something the engine knows as `<id>`."""
    method, target = call.split(" ", 1)
    return plan_call(load_request(method, target), policy).target("<id>")


@pytest.mark.parametrize(
    ("call", "goes_to"),
    [
        ("GET /_ping", "/_ping"),
        ("HEAD /_ping", "/_ping"),
        ("GET /v1.45/_ping", "/v1.45/_ping"),
        ("GET /version", "/version"),
        ("GET /v1.47/images/perijove/workspace:1/json", "/v1.47/images/perijove/workspace:1/json"),
        ("GET /images/perijove%2Fworkspace%3A1/json", "/v1.45/images/perijove/workspace:1/json"),
        (f"GET /v1.45/containers/{NAME}/json", "/v1.45/containers/<id>/json"),
        (f"GET /v1.45/containers/{ID}/json", "/v1.45/containers/<id>/json"),
        (f"GET /v1.45/containers/{ID[:12]}/json", "/v1.45/containers/<id>/json"),
        (
            f"GET /v1.45/containers/{NAME}/logs?stderr=1&stdout=1&timestamps=0&follow=0&tail=5",
            "/v1.45/containers/<id>/logs?stderr=1&stdout=1&timestamps=0&follow=0&tail=5",
        ),
        (f"POST /v1.45/containers/{ID}/start", "/v1.45/containers/<id>/start"),
        (f"POST /v1.45/containers/{ID}/stop?t=10", "/v1.45/containers/<id>/stop?t=10"),
        (
            f"POST /v1.45/containers/{ID}/kill?signal=SIGTERM",
            "/v1.45/containers/<id>/kill?signal=SIGTERM",
        ),
        (f"POST /v1.45/containers/{ID}/wait", "/v1.45/containers/<id>/wait"),
        (
            f"DELETE /v1.45/containers/{ID}?v=True&link=False&force=True",
            "/v1.45/containers/<id>?v=True&link=False&force=True",
        ),
        (f"GET /v1.45/networks/{NAME}", "/v1.45/networks/<id>"),
        (f"DELETE /v1.45/networks/{NAME}", "/v1.45/networks/<id>"),
    ],
)
def test_a_call_that_is_allowed_goes_to(call: str, goes_to: str, policy: Policy) -> None:
    assert sent(call, policy) == goes_to


def test_lists_are_of_the_installation(policy: Policy) -> None:
    sent(f"GET /v1.45/containers/json?limit=-1&all=1&size=0&trunc_cmd=0&filters={OURS}", policy)
    sent(f"GET /v1.45/networks?filters={OURS}", policy)
    narrower = quote(json.dumps({"label": ["perijove.project=perijove", "x=y"], "name": ["ana"]}))
    sent(f"GET /v1.45/networks?filters={narrower}", policy)


@pytest.mark.parametrize("path", ["/containers/json", "/networks"])
@pytest.mark.parametrize(
    "filters",
    [
        None,
        {},
        {"label": []},
        {"label": ["perijove.project"]},
        {"label": ["perijove.project=perijove2"]},
        {"label": ["perijove.project=perijove "]},
        {"label": "perijove.project=perijove"},
        {"label": {"perijove.project=perijove": False}},
        {"Label": ["perijove.project=perijove"]},
        {"label": ["perijove.project=perijove", 1]},
        {"label": ["perijove.project=perijove"], "volume": ["x"]},
        {"name": [NAME]},
        [],
    ],
    ids=str,
)
def test_a_list_of_more_is_refused(path: str, filters: Any, policy: Policy) -> None:
    query = "" if filters is None else f"?filters={quote(json.dumps(filters))}"
    with pytest.raises(RefusedError):
        sent(f"GET /v1.45{path}{query}", policy)


@pytest.mark.parametrize(
    "call",
    [
        f"POST /v1.45/containers/{NAME}/exec",
        "POST /v1.45/exec/4f5e6d7c8b9a/start",
        f"POST /v1.45/containers/{NAME}/attach?stream=1",
        f"GET /v1.45/containers/{NAME}/attach/ws",
        f"GET /v1.45/containers/{NAME}/archive?path=/",
        f"PUT /v1.45/containers/{NAME}/archive?path=/",
        f"HEAD /v1.45/containers/{NAME}/archive?path=/",
        f"GET /v1.45/containers/{NAME}/export",
        *(
            f"POST /v1.45/containers/{NAME}/{action}"
            for action in ("update", "rename", "resize", "restart", "pause", "unpause")
        ),
        *(f"GET /v1.45/containers/{NAME}/{action}" for action in ("top", "stats", "changes")),
        f"POST /v1.45/commit?container={NAME}",
        "POST /v1.45/containers/prune",
        "POST /v1.45/networks/prune",
        "DELETE /v1.45/containers/json",
        "GET /v1.45/containers/create",
        "POST /v1.45/images/create?fromImage=x",
        "POST /v1.45/build",
        "GET /v1.45/images/json",
        "GET /v1.45/images/alpine/json",
        "GET /v1.45/images/perijove/workspace:1/history",
        "DELETE /v1.45/images/perijove/workspace:1",
        "GET /v1.45/volumes",
        "POST /v1.45/volumes/create",
        "DELETE /v1.45/volumes/perijove_homes",
        "GET /v1.45/info",
        "GET /v1.45/events",
        "GET /v1.45/system/df",
        "POST /v1.45/swarm/init",
        "GET /v1.45/plugins",
        "POST /v1.45/session",
        "POST /grpc",
        "POST /v1.45/auth",
        "GET /",
        "OPTIONS /_ping",
        "POST /_ping",
        "CONNECT docker:80",
        "GET http://docker/_ping",
        "get /_ping",
    ],
)
def test_any_other_call_is_refused(call: str, policy: Policy) -> None:
    with pytest.raises(RefusedError):
        sent(call, policy)


@pytest.mark.parametrize(
    "call",
    [
        "POST /v1.45/containers/perijove-hub-1/start",
        "POST /v1.45/containers/4f5e/start",
        f"POST /v1.45/containers/{ID.upper()}/start",
        f"POST /v1.45/containers/{ID}0/start",
        f"POST /v1.45/containers/{NAME}%2F..%2Fperijove-hub-1/start",
        f"POST /v1.45/containers/{NAME}/../perijove-hub-1/start",
        f"POST /v1.45/containers/{NAME}%252Fx/start",
        f"POST /v1.45/containers/{NAME}/start/",
        f"POST /v1.45/containers//{NAME}/start",
        f"POST //v1.45/containers/{NAME}/start",
        f"POST /v1.45//containers/{NAME}/start",
        f"POST /v1.45/v1.45/containers/{NAME}/start",
        f"POST /v1.5/containers/{NAME}/start",
        f"POST /v2.45/containers/{NAME}/start",
        f"POST /v1.045/containers/{NAME}/start",
        f"POST /V1.45/containers/{NAME}/start",
        f"POST /v1.45/./containers/{NAME}/start",
        f"POST /v1.45/Containers/{NAME}/start",
        f"POST /v1.45/containers/{NAME}/START",
        f"POST /v1.45/containers/{NAME}/%73tart",
        f"POST /v1.45/containers/{NAME}/start%0A",
        f"POST /v1.45/containers/{NAME}/start\n",
        f"POST /v1.45/containers/{NAME}\\start",
        f"POST /v1.45/containers/{NAME}/start#x",
        f"POST /v1.45/containers/{NAME};x/start",
        "GET /v1.45/images/perijove%252Fworkspace%253A1/json",
        "GET /v1.45/images/../containers/x/json",
        "GET /v1.45/images/perijove/workspace:1/json/../../../json",
    ],
)
def test_a_path_in_another_spelling_is_refused(call: str, policy: Policy) -> None:
    with pytest.raises(RefusedError):
        sent(call, policy)


@pytest.mark.parametrize(
    "call",
    [
        "GET /_ping?x=1",
        f"GET /v1.45/containers/{NAME}/json?size=1",
        f"GET /v1.45/containers/{NAME}/logs?follow=1",
        f"GET /v1.45/containers/{NAME}/logs?follow=yes",
        f"GET /v1.45/containers/{NAME}/logs?details=1",
        f"GET /v1.45/containers/{NAME}/logs?tail=-1",
        f"GET /v1.45/containers/json?all=yes&filters={OURS}",
        f"POST /v1.45/containers/{NAME}/start?checkpoint=x",
        f"POST /v1.45/containers/{NAME}/stop?t=-1",
        f"POST /v1.45/containers/{NAME}/kill?signal=KILL%20x",
        f"DELETE /v1.45/containers/{NAME}?link=1",
        f"GET /v1.45/networks/{NAME}?verbose=1",
        "GET /v1.45/images/perijove/workspace:1/json?manifests=1",
    ],
)
def test_a_parameter_that_is_not_needed_is_refused(call: str, policy: Policy) -> None:
    with pytest.raises(RefusedError, match="query"):
        sent(call, policy)


@pytest.mark.parametrize("body", [b'{"HostConfig": {}}', b"{}", b"0", b'""'])
def test_a_start_with_a_body_is_refused(body: bytes, policy: Policy) -> None:
    with pytest.raises(RefusedError, match="the body"):
        plan_call(load_request("POST", f"/v1.45/containers/{NAME}/start", body), policy)


LABELS = {"perijove.project": "perijove"}


def test_what_a_call_is_about_is_told_by_the_engine(policy: Policy) -> None:
    container = Reference("containers", ID[:12], "/v1.45")
    assert container.target == f"/v1.45/containers/{ID[:12]}/json"
    told = {"Name": f"/{NAME}", "Id": ID, "Config": {"Labels": LABELS}}
    assert find_id(container, told, policy) == ID
    network = Reference("networks", NAME, "/v1.45")
    assert network.target == f"/v1.45/networks/{NAME}"
    assert find_id(network, {"Name": NAME, "Id": ID, "Labels": LABELS}, policy) == ID


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("perijove-hub-1", LABELS),
        (NAME, {}),
        (NAME, None),
        (NAME, {"perijove.project": "other"}),
        (f"{NAME}/x", LABELS),
    ],
)
def test_what_is_no_workspace_is_refused(name: str, labels: Any, policy: Policy) -> None:
    container = {"Name": f"/{name}", "Id": ID, "Config": {"Labels": labels}}
    with pytest.raises(RefusedError, match="is no workspace of perijove"):
        find_id(Reference("containers", ID, "/v1.45"), container, policy)
    with pytest.raises(RefusedError, match="is no workspace of perijove"):
        find_id(
            Reference("networks", ID, "/v1.45"), {"Name": name, "Id": ID, "Labels": labels}, policy
        )
