"""A doctor goes on when a check breaks."""

from operating.errors import OperatingError
from operating.findings import Finding, examine


def test_a_check_that_breaks_is_a_failure_and_never_a_traceback() -> None:
    def divide() -> Finding:
        raise ZeroDivisionError("division\nby   zero")

    def refuse() -> Finding:
        raise OperatingError("The database is gone.")

    fine = Finding("c", ok=True, text="fine")
    assert examine({"a": divide, "b": refuse, "c": lambda: fine}) == [
        Finding("a", ok=False, text="could not be checked: ZeroDivisionError: division by zero"),
        Finding("b", ok=False, text="The database is gone"),
        fine,
    ]
