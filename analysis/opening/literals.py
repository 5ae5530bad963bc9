"""Values in SQL: what was stored is never taken for part of a query."""


def sql_text(value: str | None) -> str:
    """A text as SQL writes it, in quotation marks; NULL for None.

    Queries of results are one statement without parameters, so what comes from a file or a user is written into them
    by this.
    """
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
