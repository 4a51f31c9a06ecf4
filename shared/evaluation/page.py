"""The report as one HTML page: the numbers side by side, then the answers. No script, nothing is loaded."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

MAX_SAMPLES = 200
LOWER_IS_BETTER = frozenset({"perplexity"})
STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#1a7f37;--bad:#cf222e}
body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem}p.about{opacity:.7;margin-top:0}
table{border-collapse:collapse;width:100%}
th,td{padding:.4rem .7rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}.better{color:var(--good);font-weight:600}.worse{color:var(--bad)}
article{border:1px solid var(--line);border-radius:8px;margin:1rem 0;padding:.8rem 1rem}
article h3{font-size:.9rem;margin:0;opacity:.7;font-weight:600}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:1rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--soft);border-radius:6px;padding:.6rem .8rem;
margin:.4rem 0;font:13px/1.45 ui-monospace,monospace;max-height:22rem;overflow:auto}
.note{font-size:.82rem;opacity:.75}.error{color:var(--bad)}.vote{color:var(--good);font-weight:600}
"""


def page(report: Mapping[str, Any], title: str = "Evaluation") -> str:
    """A whole document; every text in it is escaped."""
    names = [side["name"] for side in report["sides"]]
    samples = report["samples"]
    shown = "\n".join(_sample(sample, names) for sample in samples[:MAX_SAMPLES])
    more = f"<p class=note>{len(samples) - MAX_SAMPLES} more are in the JSON.</p>" if len(samples) > MAX_SAMPLES else ""
    about = f"{report['rows']} rows · {', '.join(report['metrics'])}"
    return (
        f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{escape(title)}: {escape(' and '.join(names))}</h1><p class=about>{escape(about)}</p>"
        f"{_numbers(report)}<h2>Samples</h2>{shown}{more}</html>\n"
    )


def _numbers(report: Mapping[str, Any]) -> str:
    sides = report["sides"]
    heads = [side["name"] for side in sides] + (["difference"] if report["difference"] is not None else [])
    scores = list(dict.fromkeys(name for side in sides for name in side["scores"]))
    rows = [_score(name, sides) for name in scores]
    rows.append(_row("median answer, ms", [side["latency_ms"] and side["latency_ms"]["median"] for side in sides]))
    rows.append(_row("tokens", [side["tokens"] for side in sides]))
    if any(side["cost_usd"] is not None for side in sides):
        rows.append(_row("cost, USD", [side["cost_usd"] for side in sides]))
    if any(side["failed"] for side in sides):
        rows.append(_row("failed requests", [side["failed"] for side in sides]))
    if report.get("votes"):
        rows.append(
            _row("votes", [report["votes"][which] for which in ("first", "second")], f"{report['votes']['tie']} ties")
        )
    head = "".join(f"<th>{escape(name)}" for name in ["", *heads])
    return f"<table><thead><tr>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _score(name: str, sides: Iterable[Mapping[str, Any]]) -> str:
    values = [side["scores"].get(name) for side in sides]
    if len(values) < 2 or None in values:
        return _row(name, values)
    change = values[1] - values[0]
    better = change < 0 if name in LOWER_IS_BETTER else change > 0
    kind = "" if not change else ' class="better"' if better else ' class="worse"'
    return _row(name, values, f"{change:+.4g}", kind)


def _row(name: str, values: Iterable[Any], last: str | None = None, kind: str = "") -> str:
    cells = "".join(f"<td>{_number(value)}" for value in values)
    return f"<tr><td>{escape(name)}{cells}" + (f"<td{kind}>{escape(last)}" if last is not None else "")


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _sample(sample: Mapping[str, Any], names: Iterable[str]) -> str:
    reference = sample["reference"]
    wanted = f"<div><h3>reference</h3><pre>{escape(reference)}</pre></div>" if reference else ""
    answers = "".join(
        _answer(name, side, sample["vote"] == which)
        for which, name, side in zip(("first", "second"), names, sample["sides"], strict=False)
    )
    return (
        f"<article><h3>{escape(str(sample['id']))}</h3><pre>{escape(sample['prompt'])}</pre>"
        f"<div class=answers>{wanted}{answers}</div></article>"
    )


def _answer(name: str, side: Mapping[str, Any], voted: bool) -> str:
    notes = [f"{key} {_number(value)}" for key, value in side["scores"].items()]
    if side["latency_ms"] is not None:
        notes.append(f"{side['latency_ms']:.0f} ms")
    said = f"<pre>{escape(side['answer'])}</pre>" if side["answer"] is not None else ""
    error = f"<p class=error>{escape(side['error'])}</p>" if side["error"] else ""
    vote = " <span class=vote>voted for</span>" if voted else ""
    return f"<div><h3>{escape(name)}{vote}</h3>{said}{error}<p class=note>{escape(' · '.join(notes))}</p></div>"
