"""`dvpt-keys`: makes, lists and revokes the API keys of a service."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from adapters.command.listing import table
from adapters.command.streams import closed, complain, open_streams, printable
from adapters.environment import variable
from service.access.key_file import KeyFile
from service.access.key_record import KeyList, KeyRecord
from service.access.scope import Scope
from service.access.secret import hashed, new_key_text
from service.errors import KeyFileUnusable

PROGRAM = "dvpt-keys"
FAILED, BAD_USAGE, INTERRUPTED = 1, 2, 130
_DURATION = re.compile(r"(\d{1,5})([hd])", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 if something failed, 2 for a usage error."""
    open_streams()
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.keys is None:
        parser.error("say which file: --keys FILE, or DVPT_KEYS in the environment")
    try:
        code: int = options.run(KeyFile(options.keys), options)
    except KeyFileUnusable as error:
        code = complain(PROGRAM, error, FAILED)
    except KeyboardInterrupt:
        code = INTERRUPTED
    return closed(code)


def _create(file: KeyFile, options: argparse.Namespace) -> int:
    now = datetime.now(UTC).replace(microsecond=0)
    text = new_key_text()
    salt, digest = hashed(text.secret)
    try:
        record = KeyRecord(
            id=text.id,
            name=options.name,
            scopes=tuple(dict.fromkeys(options.scope or [Scope.CLASSIFY])),
            tasks=tuple(options.tasks or ["*"]),
            created=now,
            expires=options.expires_in and now + options.expires_in,
            requests_per_s=options.requests_per_s,
            concurrent_requests=options.concurrent_requests,
            salt=salt,
            scrypt=digest,
        )
    except ValidationError as error:
        return complain(PROGRAM, _fault(error), BAD_USAGE)
    file.change(lambda keys: KeyList(keys=(*keys.keys, record)))
    print(text)
    note = f"{PROGRAM}: key {record.id} of '{record.name}' is in {file.path}; it is shown this once"
    sys.stderr.write(printable(note) + "\n")
    return 0


def _list(file: KeyFile, options: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    keys = file.read().keys
    if options.json:
        shown = [key.model_dump(mode="json", exclude={"salt", "scrypt"}) for key in keys]
        print(json.dumps([row | {"state": key.state(now)} for row, key in zip(shown, keys, strict=True)]))
        return 0
    rows = [("ID", "NAME", "STATE", "SCOPES", "TASKS", "CREATED", "EXPIRES", "PER SECOND", "AT A TIME")]
    print(table([*rows, *(_row(key, now) for key in keys)]))
    return 0


def _row(key: KeyRecord, now: datetime) -> tuple[str, ...]:
    return (
        key.id,
        key.name,
        key.state(now),
        ",".join(key.scopes),
        ",".join(key.tasks),
        f"{key.created:%Y-%m-%d}",
        f"{key.expires:%Y-%m-%d}" if key.expires else "never",
        str(key.requests_per_s or "any"),
        str(key.concurrent_requests or "any"),
    )


def _revoke(file: KeyFile, options: argparse.Namespace) -> int:
    now = datetime.now(UTC).replace(microsecond=0)
    wanted = set(options.ids)

    def revoked(key: KeyRecord) -> KeyRecord:
        if key.id not in wanted or key.revoked is not None:
            return key
        return key.model_copy(update={"revoked": now})

    missing = wanted - {key.id for key in file.read().keys}
    if missing:
        return complain(PROGRAM, f"{file.path} has no key {', '.join(sorted(missing))}", FAILED)
    file.change(lambda keys: KeyList(keys=tuple(map(revoked, keys.keys))))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="API keys of dvpt-serve, in a file that a running service reads again when it changes.",
        allow_abbrev=False,
    )
    default = variable("DVPT_KEYS")
    parser.add_argument(
        "--keys",
        type=Path,
        default=Path(default) if default else None,
        metavar="FILE",
        help="the file of keys (default: $DVPT_KEYS)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_create(commands.add_parser("create", help="make a key and print it, this once"))
    listing = commands.add_parser("list", help="every key with what it may do")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    revoke = commands.add_parser("revoke", help="let keys open nothing any more")
    revoke.add_argument("ids", nargs="+", metavar="ID", help="as `list` shows them")
    revoke.set_defaults(run=_revoke)
    return parser


def _add_create(create: argparse.ArgumentParser) -> None:
    create.add_argument("name", help="whose key it is, in a word or two")
    create.add_argument(
        "--scope",
        type=Scope,
        action="append",
        choices=list(Scope),
        help="what it may do; may be given again (default: classify); admin may do everything",
    )
    create.add_argument(
        "--tasks",
        action="append",
        metavar="PATTERN",
        help="tasks that it is for, such as 'retail-*'; may be given again (default: all)",
    )
    create.add_argument(
        "--expires-in", type=_duration, metavar="DURATION", help="such as 90d or 12h (default: never)"
    )
    create.add_argument("--requests-per-s", type=int, metavar="N", help="most requests a second")
    create.add_argument("--concurrent-requests", type=int, metavar="N", help="most requests at a time")
    create.set_defaults(run=_create)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is no duration such as 90d or 12h")
    return timedelta(**{{"h": "hours", "d": "days"}[match[2]]: int(match[1])})


def _fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']} (given: {fault['input']!r})"


if __name__ == "__main__":
    sys.exit(main())
