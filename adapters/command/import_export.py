"""`dvpt-adapters publish`, `import` and `export`: carry adapters into a store and out of it."""

from argparse import Namespace
from pathlib import Path

from adapters.command.arguments import add_replacing, add_version, add_weights
from adapters.command.onnx_export import write_model
from adapters.command.subcommands import Subcommands
from adapters.config import STABLE
from adapters.store.artifact_folder import read_folder, write_files
from adapters.store.artifact_tar import read_tar
from adapters.store.store import Store
from adapters.vit.backbone import open_backbone


def add_commands(commands: Subcommands) -> None:
    """Add the commands that carry adapters."""
    about = "publish an adapter from a directory that export wrote, or a tar of one"
    publish = commands.add("publish", _publish, about, "publish_version")
    publish.add_argument("task")
    publish.add_argument("artifact", type=Path, metavar="directory or tar")
    importing = commands.add("import", _publish, "as publish, with the task as --task", "publish_version")
    importing.add_argument("artifact", type=Path, metavar="directory or tar")
    importing.add_argument("--task", required=True, help="the task's name in this store")
    for parser in (publish, importing):
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--label", default=STABLE, help="label to move to it (default: %(default)s)")
        choice.add_argument("--no-label", action="store_true", help="move no label")
        add_replacing(parser)
    export = commands.add(
        "export", _export, "write one version of a task to a new directory, or as an ONNX model"
    )
    export.add_argument("task")
    export.add_argument(
        "target", type=Path, metavar="directory", help="where to; with --onnx the model's file"
    )
    add_version(export, STABLE)
    export.add_argument(
        "--onnx", action="store_true", help="write one stand-alone ONNX model, backbone and all"
    )
    add_weights(export)


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
