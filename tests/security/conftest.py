"""The stand-in for the hub, as the tests of the sources have it."""

from tests.sources.conftest import hub as hub
