"""lm-evaluation-harness over completions (scored prompts) and over chat, with tasks of its own: there is no network."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROWS = [{"question": f"{n} and {n} is", "choices": [str(2 * n), str(2 * n + 1)], "answer": 0} for n in range(1, 7)]
TASKS = {
    "tiny_choice": """
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc}]
""",
    "tiny_words": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}"
metric_list: [{metric: word_perplexity}]
""",
    "tiny_answer": """
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{choices[0]}}"
generation_kwargs: {until: ["."], max_gen_toks: 12, do_sample: false}
metric_list: [{metric: exact_match}]
""",
}


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(row) for row in ROWS))
    for name, text in TASKS.items():
        head = f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {rows}}}}}\ntest_split: test"
        (tmp_path / f"{name}.yaml").write_text(head + text)
    return tmp_path


def evaluate(folder: Path, model: str, route: str, tasks: str, *more: str) -> dict[str, Any]:
    """The results by task; a whole process, since that is how it is used."""
    fields = {
        "model": os.environ["CHAT_MODEL"],
        "base_url": f"{os.environ['OPENAI_BASE_URL']}/{route}",
        "num_concurrent": 2,
        "max_retries": 1,
        "tokenizer": os.environ["CHAT_TOKENIZER"],
        "tokenizer_backend": "huggingface",
        "max_length": 1000,
    }
    arguments = ",".join(f"{name}={value}" for name, value in fields.items())
    command = [sys.executable, "-m", "lm_eval", "run", "--model", model, "--model_args", arguments, "--tasks", tasks]
    command += ["--include_path", str(folder), "--output_path", str(folder / "out.json"), *more]
    environment = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_DATASETS_OFFLINE": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert ran.returncode == 0, ran.stderr[-2000:]
    (written,) = folder.glob("**/out_*.json")
    return json.loads(written.read_text())["results"]


def test_completions_scored_and_made(tasks: Path):
    found = evaluate(tasks, "local-completions", "completions", ",".join(TASKS))
    assert 0 <= found["tiny_choice"]["acc,none"] <= 1
    assert found["tiny_words"]["word_perplexity,none"] > 1
    assert "exact_match,none" in found["tiny_answer"]


def test_answers_by_chat(tasks: Path):
    found = evaluate(tasks, "local-chat-completions", "chat/completions", "tiny_answer", "--apply_chat_template")
    assert "exact_match,none" in found["tiny_answer"]
