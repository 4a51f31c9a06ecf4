"""Folders of clips: the layouts people have, bad rows, hostile archives."""

import zipfile
from pathlib import Path

import pytest

from ml_audio.data import archive, clips
from shared.errors import InvalidRequest, TooLarge


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_ljspeech_with_and_without_the_spoken_column(tmp_path):
    touch(tmp_path, "wavs/a.wav", "wavs/b.flac")
    (tmp_path / "metadata.csv").write_text('a|Dr. "X" says 5|doctor x says five\nb|plain, with a comma\n')
    found, skipped = clips.read([tmp_path])
    assert [(clip.path.name, clip.text) for clip in found] == [
        ("a.wav", "doctor x says five"),
        ("b.flac", "plain, with a comma"),
    ]
    assert skipped == 0


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("metadata.csv", 'file_name,transcription,speaker\nx/a.wav,"one, two",eve\n'),
        (
            "train/metadata.csv",
            "file_name,sentence,speaker_id\nx/a.wav,one\x2c two,eve\n".replace("one, two", '"one, two"'),
        ),
        ("metadata.jsonl", '{"file_name": "x/a.wav", "text": "one, two", "speaker": "eve"}\n\n'),
    ],
)
def test_audiofolder(tmp_path, name, lines):
    metadata = tmp_path / name
    touch(metadata.parent, "x/a.wav")
    metadata.write_text(lines)
    (clip,), _ = clips.read([tmp_path])
    assert (clip.path, clip.text, clip.speaker) == (metadata.parent / "x" / "a.wav", "one, two", "eve")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("gone.wav,hello", "no file gone.wav"),
        ("../secret.wav,hello", "outside"),
        ("/etc/passwd,hello", "outside"),
        ("a.wav, ", "empty"),
        ("a.wav,", "no text"),
        (",hello", "no file_name"),
    ],
)
def test_a_bad_row_names_its_line_or_is_skipped(tmp_path, row, why):
    touch(tmp_path / "set", "a.wav")
    touch(tmp_path, "secret.wav")
    (tmp_path / "set" / "metadata.csv").write_text(f"file_name,transcription\na.wav,fine\n{row}\n")
    with pytest.raises(InvalidRequest, match=f"metadata.csv line 3: .*{why}") as caught:
        clips.read([tmp_path / "set"])
    assert caught.value.param == "dataset"
    found, skipped = clips.read([tmp_path / "set"], on_bad_row="skip")
    assert (len(found), skipped) == (1, 1)


def test_a_folder_without_metadata_and_one_without_clips(tmp_path):
    with pytest.raises(InvalidRequest, match=r"metadata\.csv"):
        clips.read([tmp_path])
    (tmp_path / "metadata.csv").write_text("file_name,text\n")
    with pytest.raises(InvalidRequest, match="no clip"):
        clips.read([tmp_path])
    (tmp_path / "metadata.csv").write_bytes(b"file_name,text\n\xff\xfe\n")
    with pytest.raises(InvalidRequest, match="UTF-8"):
        clips.read([tmp_path])


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def test_a_zip_is_unpacked_once_whatever_it_is_called(tmp_path):
    upload = zipped(
        tmp_path / "training.jsonl", **{"set/metadata.csv": b"file_name,text\na.wav,hello\n", "set/a.wav": b"x"}
    )
    (folder,) = archive.unpack([upload], tmp_path / "cache")
    assert clips.read([folder])[0][0].text == "hello"
    (folder / "set" / "a.wav").write_bytes(b"kept")
    assert (
        archive.unpack([upload], tmp_path / "cache") == [folder] and (folder / "set" / "a.wav").read_bytes() == b"kept"
    )


@pytest.mark.parametrize("name", ["../out.wav", "/tmp/out.wav", "a/../../out.wav", "..\\out.wav"])
def test_a_zip_writes_nothing_outside(tmp_path, name):
    with pytest.raises(InvalidRequest, match="outside"):
        archive.unpack([zipped(tmp_path / "bad.zip", **{name: b"x"})], tmp_path / "cache")
    assert not list(tmp_path.rglob("out.wav"))


def test_a_zip_that_would_fill_the_disk_is_refused(tmp_path):
    with pytest.raises(TooLarge):
        archive.unpack([zipped(tmp_path / "bomb.zip", a=bytes(2**26))], tmp_path / "cache")


def test_neither_folder_nor_zip(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InvalidRequest, match="neither"):
        archive.unpack([tmp_path / "notes.txt"], tmp_path / "cache")
    with pytest.raises(InvalidRequest, match="no such"):
        archive.unpack([tmp_path / "gone"], tmp_path / "cache")
