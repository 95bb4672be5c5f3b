"""`dvpt-adapters`: look into a store, verify it, move labels, tidy up, carry adapters, try them."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from adapters.audit import AuditFile
from adapters.command import traffic
from adapters.command.audited import run_audited
from adapters.command.classify import LocalClassifier
from adapters.command.listing import (
    label_rows,
    labels_text,
    shown_version,
    table,
    task_rows,
    tasks_text,
    version_row,
    version_text,
)
from adapters.command.onnx_export import write_model
from adapters.command.streams import closed, complain, open_streams, printable
from adapters.config import PIN_LABEL, STABLE
from adapters.environment import variable
from adapters.errors import DvptError, PictureError
from adapters.pictures.decode import silence_pillow
from adapters.store.artifact_folder import read_folder, write_files
from adapters.store.artifact_tar import read_tar
from adapters.store.journal import JOURNAL_FOLDER
from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from adapters.store.page import Page
from adapters.store.signature import Signer, Trust
from adapters.store.store import Store
from adapters.vit.backbone import open_backbone

PROGRAM = "dvpt-adapters"
LISTED = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 if something failed, 2 for a usage error."""
    open_streams()
    silence_pillow()
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.store:
        parser.error("say which store: --store DIR, or DVPT_STORE in the environment")
    try:
        audit = AuditFile(options.audit) if options.audit else None
        code = run_audited(audit, Store.open(options.store), options)
    except BrokenPipeError:
        code = 1
    except (DvptError, OSError) as error:
        code = _complain(error)
    except KeyboardInterrupt:
        code = 130
    return closed(code)


def _list(store: Store, options: Namespace) -> int:
    page = Page(options.limit, options.after, options.prefix, options.search)
    rows, more = task_rows(store, page)
    print(_json(rows) if options.json else tasks_text(rows))
    if more:
        _complain(f"there are more tasks: --after {rows[-1]['task']} lists the next, --limit 0 all")
    problems = [problem for row in rows for problem in row["problems"]]
    for problem in problems:
        _complain(problem)
    return 1 if problems else 0


def _show(store: Store, options: Namespace) -> int:
    version = options.version
    if version is None and options.label is None:
        version = shown_version(store.task(options.task))
    version = store.resolve(options.task, version=version, label=options.label or STABLE)
    row = version_row(store, options.task, version)
    print(_json(row) if options.json else version_text(row))
    return 0


def _labels(store: Store, options: Namespace) -> int:
    rows = label_rows(store, options.task)
    print(_json(rows) if options.json else labels_text(rows))
    return 0


def _verify(store: Store, options: Namespace) -> int:
    if options.trusted:
        store = replace(store, trust=Trust.open(options.trusted))
    records = [store.task(options.task)] if options.task else list(store.records().values())
    rows, failures = [("ADAPTER", "STATE")], 0
    for record in records:
        rows += [(record.name, f"DAMAGED: {problem}") for problem in record.problems]
        failures += len(record.problems)
        for version in record.versions:
            try:
                store.load(record.name, version)
                rows.append((f"{record.name}/{version}", "ok"))
            except DvptError as error:
                rows.append((f"{record.name}/{version}", f"DAMAGED: {error}"))
                failures += 1
    if fault := store.journal.fault():
        rows.append((JOURNAL_FOLDER, f"NOT WRITABLE: {fault}; services find changes later"))
        failures += 1
    print(table(rows))
    return 1 if failures else 0


def _label(store: Store, options: Namespace) -> int:
    expected = options.if_match and (options.if_match.strip('"'),)
    if options.remove:
        options.action = "remove_label"
        store.remove_label(options.task, options.label, expected=expected)
        print(f"removed label {options.label} of {options.task}")
    else:
        store.set_label(
            options.task, options.label, options.version,
            replace_classes=options.replace_classes, expected=expected,
        )  # fmt: skip
        print(f"{options.task}: {options.label} = version {options.version}")
    return 0


def _traffic(store: Store, options: Namespace) -> int:
    print(traffic.ruled(store, options))
    return 0


def _rollback(store: Store, options: Namespace) -> int:
    expected = options.if_match and (options.if_match.strip('"'),)
    version = store.rollback(
        options.task, options.label, replace_classes=options.replace_classes, expected=expected
    )
    print(f"{options.task}: {options.label} = version {version}")
    options.facts["version"] = version
    return 0


def _pin(store: Store, options: Namespace) -> int:
    version = store.resolve(options.task, version=options.version)
    store.set_label(options.task, PIN_LABEL, version, replace_classes=True)
    print(f"pinned {options.task} version {version}")
    options.facts["version"] = version
    return 0


def _unpin(store: Store, options: Namespace) -> int:
    store.remove_label(options.task, PIN_LABEL)
    print(f"unpinned {options.task}")
    return 0


def _thresholds(store: Store, options: Namespace) -> int:
    given = LabelThresholds(
        classes=dict(options.classes) or None, default=options.default, none_of_these=options.none_of_these
    )
    if options.off and given != LabelThresholds():
        return complain(PROGRAM, "--off takes all thresholds away, so it goes with no other", 2)
    if options.off or given != LabelThresholds():
        label = rule_thresholds(store, options.task, options.label, None if options.off else given)
    else:
        label = store.label(options.task, options.label)
    ruled = label.rules.thresholds if label.rules else None
    print(_json(ruled.model_dump()) if ruled else "none but those of the version")
    return 0


def _delete(store: Store, options: Namespace) -> int:
    if options.all:
        options.action = "delete_task"
        store.delete_task(options.task)
        print(f"deleted task {options.task}")
    else:
        store.delete_version(options.task, options.version, force=options.force)
        print(f"deleted version {options.version} of {options.task}")
    return 0


def _prune(store: Store, options: Namespace) -> int:
    for task in options.tasks or store.task_folders():
        removed = ", ".join(map(str, store.prune(task, options.keep))) or "nothing"
        print(f"{task}: removed {removed}")
    return 0


def _index(store: Store, options: Namespace) -> int:
    del options
    print(f"indexed {store.write_index()} tasks")
    return 0


def _publish(store: Store, options: Namespace) -> int:
    if options.artifact.is_file():
        with options.artifact.open("rb") as file:
            files = read_tar(file)
    else:
        files = read_folder(options.artifact)
    published = store.publish_files(
        options.task, files, label=None if options.no_label else options.label,
        replace_classes=options.replace_classes,
    )  # fmt: skip
    options.facts |= {"version": published.version, "existed": published.existed}
    what = "is there already as" if published.existed else "published"
    print(f"{what} {options.task} version {published.version}")
    return 0


def _export(store: Store, options: Namespace) -> int:
    version = store.resolve(options.task, version=options.version, label=options.label or STABLE)
    if options.onnx:
        artifact = store.load(options.task, version)
        backbone = open_backbone(store.backbone, weights=options.weights)
        write_model(artifact, backbone, options.target, task=options.task, version=version)
    else:
        write_files(store.files(options.task, version), options.target)
    print(f"wrote {options.task} version {version} to {options.target}")
    return 0


def _classify(store: Store, options: Namespace) -> int:
    version = store.resolve(options.task, version=options.version, label=options.label or STABLE)
    artifact = store.load(options.task, version)
    classifier = LocalClassifier(artifact, open_backbone(store.backbone, weights=options.weights))
    failed = False
    for picture in options.pictures:
        try:
            best = classifier.classify(picture, options.top_k)
        except (PictureError, OSError) as error:
            failed = bool(_complain(error))
        else:
            answers = ", ".join(f"{name} {probability:.4f}" for _, name, probability in best)
            print(printable(f"{picture}: {answers}"))
    return 1 if failed else 0


def _sign(store: Store, options: Namespace) -> int:
    if options.version and not options.task:
        return complain(PROGRAM, "--version needs a task", 2)
    signer = Signer.open(options.key)
    records = [store.task(options.task)] if options.task else list(store.records().values())
    for record in records:
        versions = (record.require_version(options.version),) if options.version else record.versions
        for version in versions:
            store.sign(record.name, version, signer)
            print(f"{record.name}/{version} is signed")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog=PROGRAM, description=__doc__.replace("`", ""))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[Store, Namespace], int], about: str, action: str | None = None
    ) -> ArgumentParser:
        added = commands.add_parser(name, help=about, description=about)
        added.add_argument(
            "--store", metavar="DIR", default=variable("DVPT_STORE"),
            help="the store's directory (default: DVPT_STORE)",
        )  # fmt: skip
        added.set_defaults(run=run, action=action, facts={}, audit=None)
        if action is not None:
            added.add_argument(
                "--audit", type=Path, metavar="FILE", default=variable("DVPT_AUDIT"),
                help="append a line for this change to a file (default: DVPT_AUDIT)",
            )  # fmt: skip
        return added

    _add_looking(command)
    _add_changing(command)
    _add_carrying(command)
    return parser


class AddCommand(Protocol):
    """Adds a command; with an `action`, its name in the audit trail, one that changes the store."""

    def __call__(
        self, name: str, run: Callable[[Store, Namespace], int], about: str, action: str | None = None
    ) -> ArgumentParser:
        """The command's parser, for its own arguments."""


def _add_looking(command: AddCommand) -> None:
    listing = command("list", _list, "list the tasks of a store")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.add_argument(
        "--limit", type=_count, default=LISTED, metavar="N",
        help="list N tasks at most, 0 for all (default: %(default)s); the adapter of each is opened",
    )  # fmt: skip
    listing.add_argument("--after", default="", metavar="NAME", help="only tasks whose names come later")
    listing.add_argument("--prefix", default="", metavar="TEXT", help="only tasks whose names begin so")
    listing.add_argument("--search", default="", metavar="TEXT", help="only tasks with this in their names")
    show = command("show", _show, "show one version of a task: options, classes, provenance")
    show.add_argument("task")
    _add_version(show, "the stable version, or else the newest")
    show.add_argument("--json", action="store_true", help="print JSON")
    labels = command("labels", _labels, "list a task's labels: versions now and before, ETags")
    labels.add_argument("task")
    labels.add_argument("--json", action="store_true", help="print JSON")
    verify = command(
        "verify", _verify, "load every version with every check and try the journal; 1 for any fault"
    )
    verify.add_argument("task", nargs="?", help="only this task")
    verify.add_argument(
        "--trusted",
        type=Path,
        metavar="FILE",
        help="ask for a signature by one of these public keys (PEM), too",
    )


def _add_changing(command: AddCommand) -> None:
    label = command("label", _label, "point a label at a version, or remove it", "set_label")
    label.add_argument("task")
    label.add_argument("label")
    choice = label.add_mutually_exclusive_group(required=True)
    choice.add_argument("version", type=_positive, nargs="?")
    choice.add_argument("--remove", action="store_true", help="remove the label")
    _add_replacing(label)
    _add_if_match(label)
    rollback = command("rollback", _rollback, "move a label back to the version before", "roll_back")
    rollback.add_argument("task")
    rollback.add_argument("--label", default=STABLE, help="default: %(default)s")
    _add_replacing(rollback)
    _add_if_match(rollback)
    pin = command("pin", _pin, "have services keep a version, and the stable one, in memory", "pin_task")
    pin.add_argument("task")
    pin.add_argument("--version", type=_positive, metavar="N", help=f"default: {STABLE}")
    unpin = command("unpin", _unpin, "let services drop a task from memory", "unpin_task")
    unpin.add_argument("task")
    traffic.add_arguments(command("traffic", _traffic, traffic.ABOUT, "set_traffic"))
    _add_thresholds(command)
    sign = command("sign", _sign, "sign versions that are there, by default all", "sign")
    sign.add_argument("task", nargs="?", help="only this task")
    sign.add_argument("--version", type=_positive, metavar="N", help="only this version of the task")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="Ed25519 private key (PEM)")
    delete = command("delete", _delete, "delete a version without labels, or a whole task", "delete_version")
    delete.add_argument("task")
    choice = delete.add_mutually_exclusive_group(required=True)
    choice.add_argument("--version", type=_positive, metavar="N")
    choice.add_argument("--all", action="store_true", help="delete the task with every version and label")
    delete.add_argument("--force", action="store_true", help="remove the version's labels, too")
    prune = command("prune", _prune, "delete old versions, and what dead publishes left behind", "prune")
    prune.add_argument("tasks", nargs="*", metavar="task", help="default: all tasks")
    prune.add_argument(
        "--keep", type=_count, required=True, metavar="N",
        help="keep the newest N versions, and those a label names or a rollback would reach",
    )  # fmt: skip
    command("index", _index, "look at everything and write the index that a service starts from")


def _add_thresholds(command: AddCommand) -> None:
    thresholds = command(
        "thresholds",
        _thresholds,
        "say from which probability on answers by a label are accepted, or show it",
        "set_thresholds",
    )
    thresholds.add_argument("task")
    thresholds.add_argument("label")
    thresholds.add_argument(
        "--class", dest="classes", action="append", type=_class_part, default=[], metavar="NAME=P",
        help="for answers with this class; several may be given",
    )  # fmt: skip
    thresholds.add_argument("--default", type=_part, metavar="P", help="for the other classes")
    thresholds.add_argument(
        "--none-of-these", type=_part, metavar="P", help="below it a picture is taken for none of the classes"
    )
    thresholds.add_argument("--off", action="store_true", help="take them away: the version's own hold again")


def _add_carrying(command: AddCommand) -> None:
    about = "publish an adapter from a directory that export wrote, or a tar of one"
    publish = command("publish", _publish, about, "publish_version")
    publish.add_argument("task")
    publish.add_argument("artifact", type=Path, metavar="directory or tar")
    importing = command("import", _publish, "as publish, with the task as --task", "publish_version")
    importing.add_argument("artifact", type=Path, metavar="directory or tar")
    importing.add_argument("--task", required=True, help="the task's name in this store")
    for parser in (publish, importing):
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--label", default=STABLE, help="label to move to it (default: %(default)s)")
        choice.add_argument("--no-label", action="store_true", help="move no label")
        _add_replacing(parser)
    export = command("export", _export, "write one version of a task to a new directory, or as an ONNX model")
    export.add_argument("task")
    export.add_argument(
        "target", type=Path, metavar="directory", help="where to; with --onnx the model's file"
    )
    _add_version(export, STABLE)
    export.add_argument(
        "--onnx", action="store_true", help="write one stand-alone ONNX model, backbone and all"
    )
    _add_weights(export)
    classify = command("classify", _classify, "answer picture files here, without a server")
    classify.add_argument("task")
    classify.add_argument("pictures", type=Path, nargs="+", metavar="picture")
    _add_version(classify, STABLE)
    classify.add_argument("--top-k", type=_positive, default=3, metavar="K", help="default: %(default)s")
    _add_weights(classify)


def _add_version(parser: ArgumentParser, default: str) -> None:
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--version", type=_positive, metavar="N", help=f"default: {default}")
    choice.add_argument("--label", help="the version that a label names")


def _add_replacing(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--replace-classes", action="store_true", help="move the label to another list of classes, too"
    )


def _add_if_match(parser: ArgumentParser) -> None:
    parser.add_argument("--if-match", metavar="ETAG", help="only if the label is as `labels` showed it")


def _add_weights(parser: ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, metavar="FILE", help="the backbone's weights (.safetensors)")


def _positive(text: str) -> int:
    if (number := _count(text)) < 1:
        raise ArgumentTypeError("must be at least 1")
    return number


def _part(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return part


def _class_part(text: str) -> tuple[str, float]:
    name, equals, part = text.rpartition("=")
    if not (name and equals):
        raise ArgumentTypeError(f"{text!r} is not NAME=P")
    return name, _part(part)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _complain(error: Exception | str) -> int:
    return complain(PROGRAM, error)


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
