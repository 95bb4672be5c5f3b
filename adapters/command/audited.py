"""A command that changes a store, and its line in the audit trail."""

import getpass
import re
from argparse import Namespace

from adapters.audit import DONE, AuditFile
from adapters.errors import DvptError
from adapters.store.store import Store

FACTS = ("version", "label", "keep", "tasks", "force")


def run_audited(audit: AuditFile | None, store: Store, options: Namespace) -> int:
    """Run what `options` ask for; of a change also write who asked for what, and how it ended.

    Raises what the command raises, and OSError where the line cannot be written.
    """
    if audit is None:
        code: int = options.run(store, options)
        return code
    result = DONE
    try:
        return int(options.run(store, options))
    except (DvptError, OSError) as error:
        result = _code(error)
        raise
    finally:
        given = {name: value for name in FACTS if (value := getattr(options, name, None))}
        task = getattr(options, "task", None)
        audit.write(f"cli:{_user()}", options.action, task, result, **{**given, **options.facts})


def _code(error: Exception) -> str:
    """`LabelMoved` → `label_moved`, as the service's codes are made."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need have no name
        return "unknown"
