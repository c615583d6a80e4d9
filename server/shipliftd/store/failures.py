"""What the errors of SQLite and of PostgreSQL mean, whichever of them the driver or peewee raised."""

import sqlite3

import peewee

# Errors of SQLite that are the statement's own; after any other the transaction is not to be trusted.
_STATEMENT_ERRORS = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
)
# Of PostgreSQL's SQLSTATEs: what another transaction got in the way of, or did first.
_OVERTAKEN = frozenset({"40001", "40P01", "23505"})
# Connections, resources, the operator's doing, a server that takes no writes, locks that took too long.
_AWAY_CLASSES = frozenset({"08", "53", "57", "58"})
_AWAY = frozenset({"25006", "25P03", "55P03"})

_CROWDED = (
    "too many clients",
    "connection slots are reserved",
    "too many connections",
    "no more connections allowed",
)


def is_busy(error: Exception) -> bool:
    """Whether SQLite refused because another process holds the file."""
    return _code(error) == sqlite3.SQLITE_BUSY


def is_defect(error: Exception) -> bool:
    """Whether a statement was refused that we wrote wrongly, where trying again cannot help."""
    cause = _cause(error)
    if _is_postgresql(cause):
        return not is_away(error)
    return _code(error) == sqlite3.SQLITE_ERROR


def is_away(error: Exception) -> bool:
    """Whether the store failed us."""
    cause = _cause(error)
    if _is_postgresql(cause):
        state = _state(cause)
        return state[:2] in _AWAY_CLASSES or state in _AWAY or is_cut(error)
    failed = isinstance(error, peewee.OperationalError | sqlite3.OperationalError)
    return failed and not is_defect(error)


def is_cut(error: Exception) -> bool:
    """Whether a connection to PostgreSQL is no more, or did not come to be."""
    cause = _cause(error)
    state = _state(cause)
    if not _is_postgresql(cause):
        return False
    # Without a state it is libpq that speaks, but for values that it does not send, such as a NUL in a
    # text; 57P01 to 57P05 end the session.
    kinds = {each.__name__ for each in type(cause).__mro__}
    is_libpq = not state and not kinds.isdisjoint({"OperationalError", "InterfaceError"})
    return is_libpq or state[:2] == "08" or state[:3] == "57P"


def is_crowded(error: Exception) -> bool:
    """Whether PostgreSQL, or a pooler before it, had no room for one more connection."""
    # In libpq a connection that did not come to be has no SQLSTATE.
    return is_cut(error) and any(words in str(error) for words in _CROWDED)


def is_overtaken(error: Exception) -> bool:
    """Whether PostgreSQL refused for what another transaction did: the verb is to run again."""
    return _state(_cause(error)) in _OVERTAKEN


def is_locked(error: Exception) -> bool:
    """Whether PostgreSQL did not wait any longer for what another transaction holds."""
    return _state(_cause(error)) in ("55P03", "40P01")


def is_slow(error: Exception) -> bool:
    """Whether a statement took longer than PostgreSQL was told to let it."""
    return _state(_cause(error)) == "57014"


def is_read_only(error: Exception) -> bool:
    """Whether PostgreSQL takes no writes: a standby, or where the operator has said so."""
    return _state(_cause(error)) == "25006"


def is_damaged(error: BaseException) -> bool:
    """Whether SQLite found the file to be damaged, which trying again does not mend."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_statement_error(error: Exception) -> bool:
    """Whether the statement alone failed, or what is no error of SQLite: the transaction is sound."""
    code = _code(error)
    return code is None or code in _STATEMENT_ERRORS


def is_of_a_store(error: Exception) -> bool:
    """Whether a database raised it."""
    cause = _cause(error)
    return isinstance(cause, sqlite3.DatabaseError | peewee.DatabaseError) or _is_postgresql(cause)


def _cause(error: BaseException | None) -> BaseException | None:
    """The driver's own error, out of peewee's around it."""
    if isinstance(error, peewee.PeeweeException):
        return error.__cause__ or error.__context__ or error
    return error


def _is_postgresql(error: BaseException | None) -> bool:
    # By name: psycopg is only there where it is used.
    return any(each.__module__.partition(".")[0] == "psycopg" for each in type(error).__mro__)


def _state(error: BaseException | None) -> str:
    """PostgreSQL's SQLSTATE; '' for what has none."""
    return getattr(error, "sqlstate", None) or ""


def _code(error: BaseException | None) -> int | None:
    """SQLite's primary code; None for other errors."""
    error = _cause(error)
    if not isinstance(error, sqlite3.Error):
        return None
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
