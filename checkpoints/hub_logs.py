"""What the hub's client logs, without what is behind the question mark of an address: the hub signs its redirects."""

import logging
import re

_QUERY = re.compile(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]*")


class WithoutQueries(logging.Filter):
    """Shortens addresses in records as they pass; keeps all records."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the addresses of a record."""
        told = record.getMessage()
        shortened = _QUERY.sub(r"\1", told)
        if shortened != told:
            record.msg, record.args = shortened, ()
        if record.exc_info:  # a traceback may repeat them
            record.exc_info = None
        return True


def hide_queries(library: str = "huggingface_hub") -> None:
    """Let the handlers of a library's logger shorten addresses, once."""
    for handler in logging.getLogger(library).handlers:
        if not any(isinstance(each, WithoutQueries) for each in handler.filters):
            handler.addFilter(WithoutQueries())
