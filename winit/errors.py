"""The errors that a user meets: one line that says what is wrong and what to do."""


class WinitError(Exception):
    """Something that the user can mend; shown without a traceback."""

    exit_code = 1
