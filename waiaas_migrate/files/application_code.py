"""Run the application's code, which may print, or fail in any way."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from waiaas_migrate.files.problem_report import shown


class ApplicationError(Exception):
    """The application's code raised an exception, which the text describes."""


@contextlib.contextmanager
def application_code() -> Iterator[None]:
    """Run the application's code, with stdout going to stderr, to keep JSON intact.

    Raises:
        ApplicationError: the code raised anything but KeyboardInterrupt, such as SystemExit.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, ApplicationError):
        raise
    except BaseException as error:
        try:
            message = shown(str(error), 200).rstrip(".")
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 — the message is made by the application, too
            message = ""
        name = type(error).__name__
        raise ApplicationError(f"{name}: {message}" if message else name) from error
