"""Standard MIDI files, read and written: the notes of each track, with tempo, metre and key.

The format: MIDI 1.0, "Standard MIDI Files 1.0" (RP-001). A file from a stranger is read within bounds: what is cut off,
contradicts itself or has no end raises InvalidRequest.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.errors import InvalidRequest

LARGEST_BYTES = 8_000_000
MOST_NOTES = 200_000
MOST_TRACKS = 256

NAME, TEXT, TEMPO, METER, KEY, END_OF_TRACK = 0x03, 0x01, 0x51, 0x58, 0x59, 0x2F
DRUM_CHANNEL = 9


@dataclass(frozen=True, order=True)
class MidiNote:
    """`start` and `duration` in the file's ticks."""

    start: int
    pitch: int
    duration: int
    velocity: int
    channel: int
    program: int


@dataclass
class Track:
    name: str = ""
    notes: list[MidiNote] = field(default_factory=list)


@dataclass
class MidiFile:
    """`tempos` (tick, quarter notes per minute), `meters` (tick, numerator, denominator), `keys` (tick, sharps, is
    minor), flats being negative sharps; each ascending by tick. `texts` are the text events."""

    ticks_per_quarter: int
    tracks: list[Track] = field(default_factory=list)
    tempos: list[tuple[int, float]] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def read_midi(data: bytes, param: str | None = None) -> MidiFile:
    """The file, formats 0 and 1. InvalidRequest on `param` when it is none, or damaged."""
    try:
        return _read(data)
    except (IndexError, struct.error, _Damaged) as error:
        why = str(error) if isinstance(error, _Damaged) else "it ends too early"
        raise InvalidRequest(f"not a MIDI file that can be read: {why}", param=param) from error


class _Damaged(Exception):
    """What is wrong with the file."""


def _read(data: bytes) -> MidiFile:
    if len(data) > LARGEST_BYTES:
        raise _Damaged(f"{len(data):,} bytes are more than {LARGEST_BYTES:,}")
    if data[:4] != b"MThd":
        raise _Damaged("it does not begin with MThd")
    size, kind, tracks, division = struct.unpack(">IHHH", data[4:14])
    if size < 6 or kind > 1:
        raise _Damaged(f"format {kind} with a header of {size} bytes is unknown")
    if division & 0x8000 or not division:
        raise _Damaged("its time is counted in film frames, not in notes")
    if tracks > MOST_TRACKS:
        raise _Damaged(f"{tracks} tracks are more than {MOST_TRACKS}")
    made = MidiFile(division)
    place = 8 + size
    while place < len(data) and len(made.tracks) < tracks:
        name, length = struct.unpack(">4sI", data[place : place + 8])
        place += 8
        if place + length > len(data):
            raise _Damaged("a track is cut off")
        if name == b"MTrk":
            made.tracks.append(_TrackReader(data[place : place + length], made).read())
        place += length
    if len(made.tracks) < tracks:
        raise _Damaged(f"it has {len(made.tracks)} of {tracks} tracks")
    if sum(len(track.notes) for track in made.tracks) > MOST_NOTES:
        raise _Damaged(f"it has more than {MOST_NOTES:,} notes")
    for events in (made.tempos, made.meters, made.keys):
        events.sort()
    return made


class _TrackReader:
    """One track's events, of which notes are kept, and what is said about the whole file goes to `file`."""

    def __init__(self, data: bytes, file: MidiFile) -> None:
        self.data, self.file = data, file
        self.place = self.time = self.status = 0
        self.track = Track()
        self.programs = [0] * 16
        self.sounding: dict[
            tuple[int, int], list[tuple[int, int, int]]
        ] = {}  # (channel, pitch): start, velocity, program

    def read(self) -> Track:
        while self.place < len(self.data):
            self.time += self._number()
            if self.data[self.place] & 0x80:
                self.status = self.data[self.place]
                self.place += 1
            if self.status == 0xFF:
                if self._meta():
                    break
            elif self.status in (0xF0, 0xF7):
                self._skip(self._number())
            elif 0x80 <= self.status < 0xF0:
                self._channel()
            else:
                raise _Damaged(f"there is no event {self.status:#x}")
        for (channel, pitch), begun in self.sounding.items():  # never released: until the track's end
            for start, velocity, program in begun:
                self._note(start, pitch, velocity, channel, program)
        self.track.notes.sort()
        return self.track

    def _number(self) -> int:
        """A variable-length quantity: seven bits a byte, at most four bytes."""
        value = 0
        for _ in range(4):
            byte = self.data[self.place]
            self.place += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise _Damaged("a number is longer than four bytes")

    def _skip(self, length: int) -> bytes:
        if self.place + length > len(self.data):
            raise _Damaged("an event is cut off")
        self.place += length
        return self.data[self.place - length : self.place]

    def _channel(self) -> None:
        kind, channel = self.status >> 4, self.status & 0x0F
        values = self._skip(1 if kind in (0xC, 0xD) else 2)
        if any(value > 127 for value in values):
            raise _Damaged("a value is above 127")
        if kind == 0xC:
            self.programs[channel] = values[0]
        elif kind == 0x9 and values[1]:
            begun = self.sounding.setdefault((channel, values[0]), [])
            begun.append((self.time, values[1], self.programs[channel]))
        elif kind in (0x8, 0x9):
            begun = self.sounding.get((channel, values[0]))
            if begun:
                start, velocity, program = begun.pop(0)
                self._note(start, values[0], velocity, channel, program)

    def _note(self, start: int, pitch: int, velocity: int, channel: int, program: int) -> None:
        self.track.notes.append(MidiNote(start, pitch, max(1, self.time - start), velocity, channel, program))

    def _meta(self) -> bool:
        """Whether the track ends here."""
        kind = self.data[self.place]
        self.place += 1
        value = self._skip(self._number())
        if kind == NAME:
            self.track.name = value.decode("latin-1").strip()
        elif kind == TEXT:
            self.file.texts.append(value.decode("utf-8", "replace"))
        elif kind == TEMPO and len(value) == 3 and any(value):
            self.file.tempos.append((self.time, 60e6 / int.from_bytes(value, "big")))
        elif kind == METER and len(value) >= 2 and value[0] and value[1] < 7:
            self.file.meters.append((self.time, value[0], 2 ** value[1]))
        elif kind == KEY and len(value) == 2:
            sharps = value[0] - 256 if value[0] > 127 else value[0]
            if -7 <= sharps <= 7:
                self.file.keys.append((self.time, sharps, value[1] == 1))
        return kind == END_OF_TRACK


def write_midi(file: MidiFile) -> bytes:
    """Format 1: a first track with tempo, metre, key and texts, then the tracks of `file`."""
    conductor = list(_conductor(file))
    tracks = [_track(conductor)] + [_track(_events(track)) for track in file.tracks]
    head = struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), file.ticks_per_quarter)
    return head + b"".join(tracks)


Event = tuple[int, int, bytes]
"""(tick, rank among events of the same tick, bytes)"""


def _conductor(file: MidiFile) -> Iterator[Event]:
    for text in file.texts:
        yield 0, 0, _meta(TEXT, text.encode())
    for tick, tempo in file.tempos:
        yield tick, 1, _meta(TEMPO, round(60e6 / tempo).to_bytes(3, "big"))
    for tick, numerator, denominator in file.meters:
        yield tick, 1, _meta(METER, bytes([numerator, denominator.bit_length() - 1, 24, 8]))
    for tick, sharps, minor in file.keys:
        yield tick, 1, _meta(KEY, bytes([sharps % 256, minor]))


def _events(track: Track) -> Iterator[Event]:
    yield 0, 0, _meta(NAME, track.name.encode("latin-1", "replace"))
    for channel, program in sorted({(note.channel, note.program) for note in track.notes}):
        if channel != DRUM_CHANNEL:
            yield 0, 1, bytes([0xC0 | channel, program])
    for note in track.notes:
        yield note.start, 3, bytes([0x90 | note.channel, note.pitch, note.velocity])
        yield note.start + note.duration, 2, bytes([0x80 | note.channel, note.pitch, 0])


def _track(events: "Iterator[Event] | list[Event]") -> bytes:
    body = bytearray()
    now = 0
    for tick, _, event in sorted(events):
        body += _variable(tick - now) + event
        now = tick
    body += _variable(0) + _meta(END_OF_TRACK, b"")
    return struct.pack(">4sI", b"MTrk", len(body)) + bytes(body)


def _meta(kind: int, value: bytes) -> bytes:
    return bytes([0xFF, kind]) + _variable(len(value)) + value


def _variable(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))
