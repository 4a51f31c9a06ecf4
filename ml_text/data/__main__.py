"""python -m ml_text.data prepare IN… OUT: cleans a data set, removes duplicates, splits it, and reports.

IN are JSONL, JSON lists and CSV files in any of the forms that the trainers read; OUT is a new folder.
"""

import argparse
import sys
from pathlib import Path

from ml_text.data.cleaning import SPLITS, Report, prepare
from shared.errors import ServiceError


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ml_text.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command = parser.add_subparsers(dest="command", required=True).add_parser("prepare", help="clean, split and report")
    command.add_argument("files", type=Path, nargs="+", metavar="IN", help="what is read")
    command.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    command.add_argument("--validation", type=_share, default=0.05, help="share of the questions held out (0.05)")
    command.add_argument("--test", type=_share, default=0.0, help="share of the questions for a test file (0)")
    command.add_argument("--on-bad-row", choices=["skip", "stop"], default="skip", help="count it, or stop there")
    args = parser.parse_args(argv)
    try:
        report = prepare(args.files, args.out, args.validation, args.test, args.on_bad_row)
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 2
    print(told(report, args.out))
    return 0


def told(report: Report, out: Path) -> str:
    kept = sum(report.rows.values())
    lines = [
        f"{report.read:,} rows read: {kept:,} kept, {report.duplicates:,} duplicates, {report.bad:,} bad",
        "kinds: " + ", ".join(f"{count:,} {kind}" for kind, count in report.kinds.items()),
        f"{report.changed:,} rows cleaned; {report.characters / kept:,.0f} characters each, at most {report.longest:,}",
    ]
    lines += [f"bad: {reason}" for reason in report.bad_rows[:5]]
    lines += [f"{out / f'{name}.jsonl'}: {report.rows[name]:,} rows" for name in SPLITS if name in report.rows]
    return "\n".join(lines)


def _share(given: str) -> float:
    share = float(given)
    if not 0 <= share < 0.5:
        raise argparse.ArgumentTypeError("a share is at least 0 and less than 0.5")
    return share


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
