"""One HTML page of small pictures, by class, that needs no other file."""

import base64
from collections.abc import Iterator
from html import escape

from training.data.inspection.check import THUMBNAIL_PX, Checked

SHOWN = 8  # of each class and split
STYLE = (
    "body{font-family:sans-serif;margin:2em}figure{display:inline-block;margin:2px;font-size:60%;"
    f"width:{THUMBNAIL_PX}px;overflow-wrap:anywhere;vertical-align:top}}li{{overflow-wrap:anywhere}}"
)


def contact_sheet(checked: Checked, title: str) -> str:
    """The first pictures of each class of each split, with what `--check` found."""
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{STYLE}</style></head>",
        f"<body><h1>{escape(title)}</h1>",
        "<ul>",
        *(f"<li>{escape(str(remark))}</li>" for remark in checked.remarks),
        *(f"<li>damaged: {escape(fault)}</li>" for fault in checked.faults),
        "</ul>",
        *_classes(checked),
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def _classes(checked: Checked) -> Iterator[str]:
    for label, name in enumerate(checked.data.classes):
        yield f"<h2>{escape(name)}</h2>"
        for split_name, split in checked.data.splits.items():
            rows = [row for row, of_row in enumerate(split.labels) if of_row == label]
            yield f"<h3>{split_name}: {len(rows):,}</h3>"
            looks = checked.looks[split_name]
            for row in [row for row in rows if not looks[row].fault][:SHOWN]:
                yield _figure(split.names[row], looks[row].thumbnail)


def _figure(name: str, jpeg: bytes) -> str:
    source = base64.b64encode(jpeg).decode()
    image = f'<img alt="" src="data:image/jpeg;base64,{source}">'
    return f"<figure>{image}<figcaption>{escape(name)}</figcaption></figure>"
