"""Words of others inside SQL: the only two ways in which a name, a path or a text may be written into a statement.

A value is better bound to the statement (`?`); what takes none, such as COPY or a column's name, is quoted here.
"""


def quoted(text: object) -> str:
    """A text or a path as SQL text."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name, whatever letters it has."""
    return '"' + name.replace('"', '""') + '"'
