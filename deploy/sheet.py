"""Designs on one HTML page: each brief once, with every column's drawing beside it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from shared.design import PLATFORMS, svg

Row = Mapping[str, Any]
Column = tuple[str, Sequence[Row], Sequence[Mapping[str, Any] | None]]
"""title, briefs, their designs (None where there is none)"""

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1500px;padding:0 1rem;color:#222;background:#fafafa}
article{display:grid;gap:1rem;margin:0 0 2rem;padding:1rem;background:#fff;border:1px solid #ddd;border-radius:8px}
p{margin:0}small{color:#666}figure{margin:0}figcaption{color:#666;font-size:13px;margin-bottom:.3rem}
svg{width:100%;height:auto;max-height:420px;display:block}.row{display:flex;gap:1rem;align-items:flex-start}.row>*{flex:1}
"""


def write_sheet(title: str, columns: Sequence[Column]) -> str:
    """The page. All columns have the same briefs in the same order."""
    articles = [_article(number, row, columns) for number, row in enumerate(columns[0][1])]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1><p>{len(articles)} briefs.</p>{''.join(articles)}</html>"
    )


def _article(number: int, row: Row, columns: Sequence[Column]) -> str:
    width, height = PLATFORMS[row["platform"]][row["format"]]
    figures = "".join(_figure(title, specs[number], width, height) for title, _, specs in columns)
    canvas = f"{row['platform']} {row['format']}, {width}×{height}"
    return (
        f'<article><p>{escape(row["prompt"])}<br><small>{canvas}</small></p><div class="row">{figures}</div></article>'
    )


def _figure(title: str, spec: Mapping[str, Any] | None, width: int, height: int) -> str:
    drawing = svg(spec, width, height) if spec else "<p>no usable design</p>"
    return f"<figure><figcaption>{escape(title)}</figcaption>{drawing}</figure>"
