"""Datasets: every kind of row in every kind of file, bad rows by number and reason, and what is learnt of them."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ml_text import data
from ml_text.tokenizer import train_tokenizer
from shared.errors import InvalidRequest

CHAT = {
    "messages": [
        {"role": "system", "content": "You design ads."},
        {"role": "user", "content": 'A café, "Blue Door" – 20% off\n\nplease'},
        {"role": "assistant", "content": '{"type":"text","text":"Hi!","x":80,"color":"#fdf0ed"}'},
        {"role": "user", "content": "again <|end|> 你好 🎉"},
        {"role": "assistant", "content": "  spaces and don’t\tstop "},
    ]
}
DESIGN = {
    "prompt": "coffee place called Blue Door",
    "platform": "instagram",
    "format": "square",
    "response": {
        "background_color": "#112233",
        "elements": [
            {
                "type": "text",
                "text": "Blue Door",
                "x": 80,
                "y": 300,
                "fontSize": 80,
                "color": "#ffffff",
                "fontFamily": "Manrope",
            }
        ],
    },
}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([json.dumps(CHAT), "plain words and more plain words"], 400, 128)


def write(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_every_kind_of_row(tmp_path):
    file = write(tmp_path / "a.jsonl", CHAT, {"prompt": "p", "completion": "c"}, {"text": "t"}, "", DESIGN)
    chat, pair, text, design = data.read([file])
    assert chat == CHAT["messages"]
    assert pair == [{"role": "user", "content": "p"}, {"role": "assistant", "content": "c"}]
    assert text == "t"
    assert [turn["role"] for turn in design] == ["system", "user", "assistant"]
    assert "coffee place called Blue Door" in design[1]["content"]
    assert json.loads(design[2]["content"]) == DESIGN["response"] and ": " not in design[2]["content"]


def test_every_kind_of_file(tmp_path):
    lines = write(tmp_path / "a.jsonl", {"text": "one"})
    listed = write(tmp_path / "b.json", json.dumps([{"text": "two"}, {"input": "i", "target": "o"}]))
    table = write(tmp_path / "c.csv", "\ufefftext,other", '"three, and\nmore",x')
    pairs = write(tmp_path / "d.csv", "prompt,completion", "p,c")
    found = list(data.read([lines, listed, table, pairs]))
    assert found[0] == "one" and found[1] == "two" and found[3] == "three, and\nmore"
    assert found[2][1]["content"] == "o" and found[4][0]["content"] == "p"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{broken", "not JSON"),
        ([1], "a row is an object, not list"),
        ({"nothing": 1}, "this one has nothing"),
        ({"text": " "}, "text is empty"),
        ({"text": 3}, "text is a string, not int"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "robot", "content": "x"}]}, r"messages\[0\].role is system, user, assistant"),
        ({"messages": [{"role": "user", "content": None}]}, r"messages\[0\].content is a string, not NoneType"),
        ({"messages": [{"role": "user", "content": "x"}]}, "no message is the assistant's"),
        ({**DESIGN, "platform": "myspace"}, "myspace"),
        ({**DESIGN, "response": {"elements": []}}, "background_color"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, reason):
    file = write(tmp_path / "rows.jsonl", {"text": "good"}, "", row, {"text": "good"})
    with pytest.raises(InvalidRequest, match=f"rows.jsonl, row 3: .*{reason}") as error:
        list(data.read([file]))
    assert error.value.param == "dataset"
    skipped = data.Skipped()
    assert list(data.read([file], "skip", skipped)) == ["good", "good"]
    assert len(skipped.bad) == 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{}", "no JSON list"),
        ("a.json", "[", "is not JSON"),
        ("a.jsonl", b"\xff\xfe\x00", "is not UTF-8"),
        ("a.csv", "words\nhello", "this one has words"),
        ("missing.jsonl", None, "No such file"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidRequest, match=reason) as error:
        list(data.read([tmp_path / name]))
    assert error.value.param == "dataset"


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.csv"])
def test_a_large_file_is_never_in_memory(tmp_path, name):
    """9 MB, which would be more as objects; at most a few at once."""
    rows = ({"text": f"row {number} " + "x" * 200} for number in range(40_000))
    with (tmp_path / name).open("w") as file:
        if name.endswith(".csv"):
            file.write("text\n" + "".join(f"{row['text']}\n" for row in rows))
        else:
            opening, between, end = ("[", ",\n", "]") if name.endswith(".json") else ("", "\n", "")
            file.write(opening + between.join(map(json.dumps, rows)) + end)
    tracemalloc.start()
    assert sum(1 for _ in data.read([tmp_path / name])) == 40_000
    assert tracemalloc.get_traced_memory()[1] < 6e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"text": "a"} {"text": "b"}]', "row 1: a comma"),
        ('[{"text": "a"},', "row 2: Expecting value"),
        ('[{"text": "a"}, {"text": }]', "row 2: Expecting value"),
        ('[{"text": "a"}] 3', "row 1: there is more behind"),
        ("[" * 100_000, "row 1: nested too deeply"),
    ],
)
def test_a_broken_list_is_named_by_row(tmp_path, text, reason):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(InvalidRequest, match=reason):
        list(data.read([tmp_path / "rows.json"]))


def test_a_list_that_is_cut_anywhere_by_the_window(tmp_path, monkeypatch):
    from ml_text.data import files

    monkeypatch.setattr(files, "CHUNK", 3)
    rows = [{"text": f"é\\u00e9 {number}", "more": [number, {"deep": "]},["}]} for number in range(30)]
    (tmp_path / "rows.json").write_text(json.dumps(rows, indent=1))
    assert [row for _, row in data.rows(tmp_path / "rows.json")] == rows
    (tmp_path / "rows.json").write_text("[12345, 67890]")
    assert [row for _, row in data.rows(tmp_path / "rows.json")] == [12345, 67890]


def test_tables_with_odd_rows(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("text,other\nfine,1\ntoo,many,cells\nshort\n")
    skipped = data.Skipped()
    assert list(data.read([file], "skip", skipped)) == ["fine", "short"]
    assert skipped.bad == ["rows.csv, row 2: 1 cells more than there are columns"]


def test_turns_as_openai_has_them(tokenizer):
    """Weights, parts, developers, tools and their calls; what has weight 0 is not learnt."""
    call = {"type": "function", "function": {"name": "time", "arguments": '{"city": "Porto"}'}}
    turns = [
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
        {"role": "user", "content": "time?"},
        {"role": "assistant", "content": None, "tool_calls": [call], "weight": 0},
        {"role": "tool", "content": "noon", "tool_call_id": "1"},
        {"role": "assistant", "content": "Noon."},
    ]
    chat = data.record({"messages": turns, "tools": [{"type": "function", "function": {"name": "time"}}]})
    assert [turn["role"] for turn in chat] == ["system", "user", "assistant", "user", "assistant"]
    assert chat[0]["content"].startswith("Be brief.") and '{"name": "time"}' in chat[0]["content"]
    assert chat[2]["content"] == '<tool_call>\n{"name":"time","arguments":{"city":"Porto"}}\n</tool_call>'
    (sample,) = data.encode([chat], tokenizer, 1000, data.Skipped())
    assert tokenizer.decode(sample.ids[sample.loss]) == "Noon.<|end|>"


@pytest.mark.parametrize("marked", [True, False])
def test_turns_of_weight_0_by_other_templates(marked):
    other = train_tokenizer(["some words"], 300, 128)
    said = "{% generation %}{{ m['content'] }}{% endgeneration %}" if marked else "{{ m['content'] }}"
    other.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'assistant' %}[a]" + said + "{% else %}[u]{{ m['content'] }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"
    )
    chat = [{"role": role, "content": f"{role}{n}"} for n in range(3) for role in ("user", "assistant")]
    chat[3]["weight"] = 0
    (sample,) = data.encode([chat], other, 1000, data.Skipped())
    assert other.decode(sample.ids[sample.loss]) == "assistant0assistant2"


def test_a_template_that_refuses_is_told():
    other = train_tokenizer(["some words"], 300, 128)
    other.chat_template = "{{ raise_exception('no system here') }}"
    with pytest.raises(InvalidRequest, match="refuses a row: no system here"):
        list(data.encode([CHAT["messages"]], other, 1000, data.Skipped()))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, "chosen and rejected are the same"),
        ({"prompt": "p", "chosen": "a"}, "rejected is a string, not NoneType"),
        ({"prompt": "p", "chosen": [{"role": "user", "content": "x"}], "rejected": "b"}, "chosen is one message"),
        ({"input": "x", "preferred_output": [], "non_preferred_output": []}, "input is an object"),
        ({"text": "x"}, "this one has text"),
    ],
)
def test_bad_preferences_are_named(tmp_path, row, reason):
    file = write(tmp_path / "rows.jsonl", row)
    with pytest.raises(InvalidRequest, match=f"rows.jsonl, row 1: .*{reason}"):
        list(data.read_preferences([file], "stop", data.Skipped()))


def test_our_rendering_is_the_templates(tokenizer):
    """Faster than Jinja and equal to it, special tokens inside what people say included."""
    made = tokenizer.apply_chat_template(CHAT["messages"], return_dict=True, return_assistant_tokens_mask=True)
    (sample,) = data.encode([CHAT["messages"]], tokenizer, 1000, data.Skipped())
    assert sample.ids.tolist() == made["input_ids"]
    assert sample.loss.astype(int).tolist() == made["assistant_masks"]
    learnt = tokenizer.decode(sample.ids[sample.loss])
    assert learnt == "".join(CHAT["messages"][turn]["content"] + "<|end|>" for turn in (2, 4))


def test_a_template_without_generation_marks(tokenizer):
    other = train_tokenizer(["some words"], 300, 128)
    other.chat_template = (
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    (sample,) = data.encode([CHAT["messages"]], other, 1000, data.Skipped())
    text = other.apply_chat_template(CHAT["messages"], tokenize=False)
    assert other.decode(sample.ids) == text
    assert other.decode(sample.ids[sample.loss]) == "".join(CHAT["messages"][turn]["content"] + "\n" for turn in (2, 4))


def test_a_model_without_a_template_learns_what_the_service_asks():
    from ml_text.prompts import chat_ids

    plain = train_tokenizer(["some words"], 300, 1024)
    plain.chat_template = None
    chat = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    (sample,) = data.encode([chat], plain, 1000, data.Skipped())
    asked = chat_ids(plain, chat[:1], 1024)
    assert sample.ids[: len(asked)].tolist() == asked
    assert not sample.loss[: len(asked)].any() and sample.loss[len(asked) :].all()
    assert plain.decode(sample.ids[sample.loss]) == " hi\n<|end|>"


def test_a_template_that_rewrites_earlier_turns_is_refused():
    other = train_tokenizer(["some words"], 300, 128)
    other.chat_template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(InvalidRequest, match="rewrites earlier turns"):
        list(data.encode([CHAT["messages"]], other, 1000, data.Skipped()))


def test_long_text_is_cut_and_long_chats_are_counted(tokenizer):
    skipped = data.Skipped()
    samples = list(data.encode(["plain words " * 40, CHAT["messages"]], tokenizer, 32, skipped))
    assert skipped.long == 1
    assert all(len(sample.ids) <= 32 and sample.loss.all() for sample in samples)
    assert tokenizer.decode(np.concatenate([sample.ids for sample in samples])) == "plain words " * 40 + "<|end|>"


def test_the_digest_follows_the_bytes(tmp_path):
    one, two = write(tmp_path / "a", {"text": "x"}), write(tmp_path / "b", {"text": "y"})
    assert data.digest([one]) == data.digest([one]) != data.digest([two])


def test_pieces_of_json():
    tokenizer = train_tokenizer(["x"], 262, 128)
    text = '{"type":"text","text":"Hi!","x":80,"y":12345,"items":[{"color":"#FDF0ED"}]} don’t  20%'
    pieces = [piece for piece, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)]
    assert pieces[:9] == ['{"type":"', "text", '","text":"', "Hi", "!", '","x":', "80", ',"y":', "1234"]
    assert pieces[9:13] == ["5", ',"items":[{', '"color":"', "#FDF0ED"] or pieces[9:12] == [
        "5",
        ',"items":[{"color":"',
        "#FDF0ED",
    ]


@pytest.mark.parametrize("text", ["", " ", "a\u0301 é", "\x00\x01\xad", "tab\t\n  end ", "你好🎉", "#12 #123456#ab"])
def test_every_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_all_bytes_are_tokens(tokenizer):
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(ByteLevel.alphabet()) <= set(tokenizer.get_vocab())
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4]) == [
        "<|pad|>",
        "<|end|>",
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
    ]
