"""`dvpt-classify`: asks a service about whole folders and writes the answers to one file."""

import asyncio
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from adapters.command.streams import closed, complain, open_streams, printable
from service.client.address import Address
from service.client.calls import Asked
from service.client.command.files import Files
from service.client.command.output import why_not
from service.client.command.record import Record, RecordUnusable
from service.client.command.run import Run, Service, failures_of, write
from service.client.errors import ClientError
from service.client.stream import Window

PROGRAM = "dvpt-classify"
TOO_MANY_FAILURES, BAD_USAGE, CUT_OFF, INTERRUPTED = 1, 2, 3, 130
STANDARD_INPUT = Path("-")
EPILOG = """\
exit codes: 0 all is written; 1 all is written, but more pictures failed than --max-failures allows, or there
were none; 2 the command line is wrong; 3 the run could not go on; 130 it was interrupted. After 1, 3 and 130,
and after a crash, --resume goes on: what is answered is not asked again, what failed is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; see EPILOG for its exit codes."""
    open_streams()
    parser = _parser()
    options = parser.parse_args(arguments)
    record = options.out.with_name(f"{options.out.name}.unfinished")
    if options.resume and options.out.exists() and not record.exists():
        return closed(complain(PROGRAM, f"{options.out} is finished, there is nothing to resume", 0))
    if fault := _fault(options, record):
        parser.error(printable(fault))
    try:
        run = _run(options)
    except (OSError, ValueError) as error:
        return closed(complain(PROGRAM, error, BAD_USAGE))
    try:
        code = _answer(run, Files(_roots(options), options.all_files, options.out), record, options)
    except (ClientError, RecordUnusable, OSError) as error:
        code = complain(PROGRAM, error, CUT_OFF)
    except KeyboardInterrupt:
        code = complain(PROGRAM, "interrupted; --resume goes on", INTERRUPTED)
    return closed(code)


def _answer(run: Run, files: Files, kept: Path, options: Namespace) -> int:
    asked = {"task": run.task, **asdict(run.asked)}
    with Record(kept, {name: value for name, value in asked.items() if name != "timeout_ms"}) as record:
        try:
            with tqdm(initial=record.counts()[0], unit=" pictures", disable=None) as progress:
                asyncio.run(run.fill(record, files, progress.update))
            answered, failed = record.counts()
            if not answered + failed:
                return complain(PROGRAM, f"no pictures found; {_others(files)}", TOO_MANY_FAILURES)
            write(record, options.out, run.asked.top_k)
        finally:
            if record.is_empty():
                record.remove()
        complain(PROGRAM, _summary(answered, failed, files, options.out))
        if options.max_failures.exceeded(answered, failed):
            return TOO_MANY_FAILURES
        record.remove()
        return 0


def _summary(answered: int, failed: int, files: Files, output: Path) -> str:
    listed = f", {failed} failed: {failures_of(output)}" if failed else ""
    return f"{answered} answered: {output}{listed}; {_others(files)}"


def _others(files: Files) -> str:
    return f"{files.passed_over} other files passed over"


def _run(options: Namespace) -> Run:
    """What the command line asks for. Raises OSError and ValueError."""
    key = options.key_file.read_text().strip() if options.key_file else None
    Address.of(options.url, key)
    asked = Asked(options.top_k, options.version, options.label, options.timeout_ms)
    service = Service(options.url, key, options.patience_s)
    return Run(service, options.task, asked, Window(options.batch, options.concurrency))


def _fault(options: Namespace, record: Path) -> str | None:
    """What is wrong with the files that the command line names."""
    if fault := why_not(options.out):
        return fault
    if not options.resume and options.out.exists():
        return f"{options.out} is there already"
    if not options.resume and record.exists():
        return f"{record} is of a run that did not finish: --resume goes on with it; remove it to begin anew"
    given = (path for path in options.pictures if path != STANDARD_INPUT)
    return next((f"{path}: there is no such file or folder" for path in given if not path.exists()), None)


def _roots(options: Namespace) -> Iterator[Path]:
    for path in options.pictures:
        if path == STANDARD_INPUT:
            yield from _listed(b"\0" if options.null else b"\n")
        else:
            yield path


def _listed(end: bytes) -> Iterator[Path]:
    """The paths that standard input names."""
    rest = b""
    while block := os.read(0, 1 << 16):
        *names, rest = (rest + block).split(end)
        yield from (Path(os.fsdecode(name)) for name in names if name)
    if rest:
        yield Path(os.fsdecode(rest))


@dataclass(frozen=True)
class MaxFailures:
    """How many pictures may fail: a number, or a share of all in percent."""

    most: float
    percent: bool

    @classmethod
    def parse(cls, text: str) -> "MaxFailures":
        """`20` or `0.5%`. Raises ArgumentTypeError."""
        number = text.removesuffix("%")
        percent = number != text
        try:
            most = float(number) if percent else int(number)
        except ValueError:
            most = -1
        if not 0 <= most <= (100 if percent else most):
            raise ArgumentTypeError(f"{text!r} is neither a number such as 20 nor a share such as 0.5%")
        return cls(most, percent)

    def exceeded(self, answered: int, failed: int) -> bool:
        """Whether more failed than may."""
        return failed > (self.most * (answered + failed) / 100 if self.percent else self.most)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=PROGRAM,
        description="Ask a running service about picture files and folders; write the answers to one file.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "pictures", type=Path, nargs="+", metavar="PATH",
        help="files, and folders with all below them; - reads paths from standard input, one a line",
    )  # fmt: skip
    parser.add_argument("--task", required=True, help="the task to ask")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="where to write: .csv, .jsonl or .parquet; FILE.failures.csv lists what failed",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on with a run that did not finish")
    parser.add_argument(
        "--max-failures", type=MaxFailures.parse, default=MaxFailures(0, False), metavar="N|P%",
        help="how many pictures may fail without exit code 1 (default: 0)".replace("%", "%%"),
    )  # fmt: skip
    _add_asking(parser)
    _add_service(parser)
    files = parser.add_argument_group("files")
    files.add_argument("--all-files", action="store_true", help="of folders all files, whatever their names")
    files.add_argument("--null", action="store_true", help="paths of standard input end with a zero byte")
    return parser


def _add_asking(parser: ArgumentParser) -> None:
    asking = parser.add_argument_group("what to ask")
    asking.add_argument(
        "--top-k", type=_positive, default=1, metavar="K", help="classes of each picture (default: 1)"
    )
    choice = asking.add_mutually_exclusive_group()
    choice.add_argument("--label", help="the label that answers (default: stable)")
    choice.add_argument("--version", type=_positive, metavar="N", help="the version that answers")


def _add_service(parser: ArgumentParser) -> None:
    service = parser.add_argument_group("the service")
    service.add_argument("--url", help="where it is (default: DVPT_URL, or http://127.0.0.1:8000)")
    service.add_argument("--key-file", type=Path, metavar="FILE", help="holds the key (default: DVPT_KEY)")
    service.add_argument(
        "--batch", type=_positive, default=16, metavar="N", help="pictures of a request (default: 16)"
    )
    service.add_argument(
        "--concurrency", type=_positive, default=8, metavar="N", help="requests at a time (default: 8)"
    )
    service.add_argument(
        "--timeout-ms", type=_positive, default=60_000, metavar="MS",
        help="how long the service may take for a request (default: 60000)",
    )  # fmt: skip
    service.add_argument(
        "--patience-s", type=_positive, default=300, metavar="S",
        help="how long a request is tried while the service is away or has too much to do (default: 300)",
    )  # fmt: skip


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
