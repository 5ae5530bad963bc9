"""Paths and URLs: what they mean, and that their secrets are not shown. Needs no server."""

import pickle
from pathlib import Path

import pytest
from pyarrow.fs import GcsFileSystem, LocalFileSystem, S3FileSystem

from catalogs import CatalogError
from catalogs.places import Place, filesystem_of, place_of
from catalogs.reaching import PlaceError, check_bucket

URL = "s3://AKIDNAME:s%2Fcr%2Bt@bucket/a/run1?endpoint_override=127.0.0.1:9&scheme=http"


@pytest.mark.parametrize("typed", ["results", "/abs/results", "a:b", "s3:x", "C:/x"])
def test_a_path_is_a_path(typed: str) -> None:
    assert place_of(typed) == Path(typed)
    assert isinstance(filesystem_of(place_of(typed))[0], LocalFileSystem)


def test_a_file_url_is_a_path() -> None:
    assert place_of("file:///tmp/my%20results") == Path("/tmp/my results")


@pytest.mark.parametrize("typed", ["s3://bucket/a/run1/", Path("s3://bucket/a/run1"), "S3://bucket/a/run1"])
def test_a_bucket_and_a_path(typed: str | Path) -> None:
    place = place_of(typed)
    assert isinstance(place, Place)
    assert (place.bucket, place.root, place.name) == ("bucket", "bucket/a/run1", "run1")


def test_a_url_with_a_server_and_credentials() -> None:
    place = place_of(URL)
    assert isinstance(place, Place)
    filesystem, root = filesystem_of(place)
    assert isinstance(filesystem, S3FileSystem)
    assert root == "bucket/a/run1"
    assert pickle.loads(pickle.dumps(place)) == place


@pytest.mark.parametrize("show", [str, repr, "{}".format, lambda place: str({"place": place})])
def test_secrets_are_not_shown(show) -> None:
    place = place_of(URL)
    assert not any(secret in show(place) for secret in ("AKIDNAME", "s%2Fcr", "s/cr+t"))
    assert str(place) == "s3://***@bucket/a/run1?endpoint_override=127.0.0.1:9&scheme=http"
    assert place.hidden("of s/cr+t and AKIDNAME") == "of *** and ***"
    assert "topsecret" not in show(place_of("s3://bucket/x?secret_key=topsecret"))


def test_the_server_of_the_environment_goes_with_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    place = place_of("s3://bucket/x")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert pickle.loads(pickle.dumps(place)).endpoint == "http://127.0.0.1:9"
    assert place_of("gs://bucket/x").endpoint is None
    assert place_of("s3://bucket/x").endpoint is None


@pytest.mark.parametrize("typed", ["gs://anonymous@bucket/run1", "gs://anonymous@bucket/run1?retry_limit_seconds=5"])
def test_google_cloud_storage(typed: str) -> None:
    filesystem, root = filesystem_of(place_of(typed))
    assert isinstance(filesystem, GcsFileSystem)
    assert root == "bucket/run1"
    assert str(place_of(typed)) == typed


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("s4://bucket/x", r"unknown kind of URL 's4://'.*s3://"),
        ("https://host/x", r"unknown kind of URL 'https://'"),
        ("s3://b/../x", r"need the path of a folder as it is, got s3://b/\.\./x: an object store knows no \. and \.\."),
        ("s3://k:s@b/run1/../run2", r"got s3://\*\*\*@b/run1/\.\./run2"),
        ("gs://b/run1/./run2", r"got gs://b/run1/\./run2"),
        ("s3://../x", r"got s3://\.\./x"),
        ("s3://b/..", r"got s3://b/\.\.:"),
        ("s3://b/%2E%2e/x", r"got s3://b/%2E%2e/x"),
        ("s3:///x", r"need a bucket behind s3://, as in s3://bucket/run1"),
    ],
)
def test_urls_that_are_none(typed: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        place_of(typed)


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(CatalogError, match=r"unknown parameter of the URL 'endpoint'.*endpoint_override"):
        filesystem_of(place_of("s3://bucket/x?endpoint=127.0.0.1:9"))


def test_a_google_server_that_is_not_there_is_told_in_one_line() -> None:
    url = "gs://anonymous@bucket/x?endpoint_override=127.0.0.1:1&scheme=http&retry_limit_seconds=1"
    with pytest.raises(PlaceError, match=r"the server of gs://anonymous@bucket/x\?.* does not answer \(") as caught:
        check_bucket(place_of(url))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
