"""Preparing a data set: cleaned, each row once, no question in two splits, and all or nothing on disk."""

import json
from pathlib import Path

import pytest

from ml_text.data.__main__ import main
from ml_text.data.cleaning import choose_split, clean, prepare
from shared.errors import InvalidRequest
from tests.unit.ml_text.training import write_rows


def read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_texts_are_cleaned():
    assert clean("cafe\u0301  \r\nnext\x00\x07 line\ud800\t \n\n\n\n\n\nend  ") == "café\nnext line\n\n\nend"
    assert clean({"a": [" x ", 3, None]}) == {"a": ["x", 3, None]}


def test_rows_are_kept_once_and_counted(tmp_path, capsys):
    rows = [{"text": f"row {n}"} for n in range(200)]
    rows += [{"text": "Row  3"}, {"text": ""}, {"messages": []}, {"prompt": "p", "chosen": "a", "rejected": "b"}]
    file = write_rows(tmp_path / "in.jsonl", rows)
    table = tmp_path / "more.csv"
    table.write_text("text\nfrom a table\nrow 5\n")
    assert main(["prepare", str(file), str(table), str(tmp_path / "out"), "--validation=0.1", "--test=0.1"]) == 0
    shown = capsys.readouterr().out
    assert "206 rows read: 202 kept, 2 duplicates, 2 bad" in shown and "in.jsonl, row 202: text is empty" in shown
    parts = {name: read(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 202
    assert 5 < len(parts["validation"]) < 45 and 5 < len(parts["test"]) < 45
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["kinds"] == {"text": 201, "preference": 1} and report["duplicates"] == 2


def test_no_question_is_in_two_splits(tmp_path):
    rows = [{"prompt": f"question {n % 50}", "completion": f"answer {n}"} for n in range(400)]
    prepare([write_rows(tmp_path / "in.jsonl", rows)], tmp_path / "out", validation=0.3)
    asked = [{row["prompt"] for row in read(tmp_path / "out" / f"{name}.jsonl")} for name in ("train", "validation")]
    assert asked[0] and asked[1] and not asked[0] & asked[1]
    assert choose_split("one question", {"validation": 0.3}) == choose_split("one question", {"validation": 0.3})


@pytest.mark.parametrize("rows", [[{"text": "good"}, {"text": 3}], [{"nothing": 1}]])
def test_after_an_error_nothing_is_there(tmp_path, rows):
    file = write_rows(tmp_path / "in.jsonl", rows)
    with pytest.raises(InvalidRequest):
        prepare([file], tmp_path / "out", on_bad_row="stop")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_a_folder_with_files_is_not_overwritten(tmp_path, capsys):
    file = write_rows(tmp_path / "in.jsonl", [{"text": "good"}])
    assert main(["prepare", str(file), str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err and file.is_file()
