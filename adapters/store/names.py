"""Which names tasks, labels and files may have: they become path segments of the store and of URLs."""

import re

from adapters.errors import InvalidName

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RULE = "1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, without '..'"
KEY = re.compile(r"[^./\0][^/\0]*(/[^./\0][^/\0]*)*")
RESERVED_TASKS = ("labels", "backbone.json", "lost+found")


def check_task_name(name: str) -> str:
    """Return `name`, or raise InvalidName."""
    _check(name, "task")
    if name in RESERVED_TASKS:
        raise InvalidName(f"task name {name!r} is reserved")
    return name


def check_label_name(name: str) -> str:
    """Return `name`, or raise InvalidName; a bare number would read like a version."""
    _check(name, "label")
    if name.isdigit():
        raise InvalidName(f"label name {name!r} is a number; numbers name versions")
    return name


def is_task_name(name: str) -> bool:
    """Whether a task may be called so; anything else in a store's root is not the store's."""
    return bool(NAME.fullmatch(name)) and ".." not in name and name not in RESERVED_TASKS


def is_label_name(name: str) -> bool:
    """Whether a label may be called so."""
    return bool(NAME.fullmatch(name)) and ".." not in name and not name.isdigit()


def check_key(key: str) -> str:
    """Return a file's key, or raise InvalidName: names between `/`, none empty or beginning with a dot."""
    if not KEY.fullmatch(key):
        raise InvalidName(f"{key!r} is not allowed as a key: no name in it may be empty or begin with a dot")
    return key


def _check(name: str, kind: str) -> None:
    if not NAME.fullmatch(name) or ".." in name:
        raise InvalidName(f"{kind} name {name!r} is not allowed: {RULE}")
