"""A call is read in one way or not at all, and written anew from what was read."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from multidict import CIMultiDict

from spawner.socket_proxy.request import LARGEST_BODY, Request, check_headers, load_request
from spawner.socket_proxy.shapes import RefusedError


def test_the_whole_request() -> None:
    request = load_request(
        "POST", "/v1.47/containers/create?name=ana&platform=linux%2Famd64", b'{"Image": "x"}'
    )
    assert request == Request(
        method="POST",
        path="/containers/create",
        version="/v1.47",
        query={"name": "ana", "platform": "linux/amd64"},
        body={"Image": "x"},
    )
    assert request.target("/containers/create") == (
        "/v1.47/containers/create?name=ana&platform=linux%2Famd64"
    )
    assert request.payload() == b'{"Image": "x"}'


def test_filters_are_read_and_written_anew() -> None:
    request = load_request("GET", "/networks?filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D")
    assert request.query == {"filters": {"label": ["a=b"]}}
    assert request.target("/networks") == (
        "/v1.45/networks?filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D"
    )


def test_only_what_comes_before_the_version_is_known_goes_without_one() -> None:
    assert load_request("GET", "/version").target("/version") == "/version"
    assert load_request("GET", "/v1.45/_ping").target("/_ping") == "/v1.45/_ping"
    assert load_request("GET", "/networks").target("/networks") == "/v1.45/networks"


@pytest.mark.parametrize("version", ["1.44", "1.24", "1.00"])
def test_a_version_that_knows_no_parts_of_volumes_is_refused(version: str) -> None:
    with pytest.raises(RefusedError, match=r"v1\.45 or later"):
        load_request("POST", f"/v{version}/containers/create", b"{}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_body_of_a_question_is_dropped(method: str) -> None:
    assert load_request(method, "/_ping", b'{"a": 1').body is None


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"A": 1, "A": 2}', "'A' twice"),
        (b'{"A": {"B": 1, "B": 1}}', "'B' twice"),
        (b'{"A": [{"B": 1, "B": null}]}', "'B' twice"),
        (b'{"A": 1} {"A": 2}', "no JSON"),
        (b'{"A": 1}\0', "no JSON"),
        (b'{"A": NaN}', "NaN"),
        (b'{"A": -Infinity}', "-Infinity"),
        (b'{"A": 1', "no JSON"),
        (b'{"A": "\xff"}', "no JSON"),
        ('{"A": 1}'.encode("utf-16"), "no JSON"),
        (b'\xef\xbb\xbf{"A": 1}', "no JSON"),
        (b"A=1", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b"1" * 5000, "no JSON"),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint):
        load_request("POST", "/v1.45/containers/create?name=x", body)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("name=a&name=b", "'name' twice"),
        ("name=a&n%61me=b", "'name' twice"),
        ("name", "cannot be read"),
        ("name=a&&x=b", "cannot be read"),
        ("name=%ff", "cannot be read"),
        ("filters=%7B%22label%22%3A%5B%5D%2C%22label%22%3A%5B%5D%7D", "'label' twice"),
        ("filters=label", "no JSON"),
    ],
)
def test_a_query_that_can_be_read_in_two_ways_is_refused(query: str, complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint):
        load_request("GET", f"/v1.45/containers/json?{query}")


@how(deadline=None)
@given(
    query=st.dictionaries(st.text(min_size=1).filter(lambda key: key != "filters"), st.text()),
    body=st.dictionaries(st.text(), st.recursive(st.none() | st.text(), st.lists, max_leaves=4)),
)
def test_what_is_written_reads_as_what_was_read(query: dict[str, str], body: Any) -> None:
    request = Request("POST", "/containers/create", query=query, body=body)
    written = load_request("POST", request.target(request.path), request.payload() or b"")
    assert written == request


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "tcp", "Connection": "Upgrade"},
        {"upgrade": "h2c"},
        {"Connection": "keep-alive, Upgrade"},
        {"Transfer-Encoding": "chunked"},
        {"transfer-encoding": "identity", "Content-Length": "3"},
        {"Content-Encoding": "gzip", "Content-Length": "3"},
        {"Expect": "100-continue"},
        {"Content-Length": str(LARGEST_BODY + 1)},
        {"Content-Length": "-1"},
        {"Content-Length": "9" * 30},
    ],
    ids=json.dumps,
)
def test_a_body_of_unknown_length_or_another_protocol_is_refused(
    headers: Mapping[str, str],
) -> None:
    with pytest.raises(RefusedError):
        check_headers(CIMultiDict(headers))


def test_the_headers_of_a_plain_call_are_fine() -> None:
    check_headers(CIMultiDict({"Connection": "keep-alive", "Content-Length": str(LARGEST_BODY)}))
    check_headers(CIMultiDict({"Host": "localhost"}))
