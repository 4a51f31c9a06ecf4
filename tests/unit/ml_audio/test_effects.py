"""Each effect has what its name promises, no two are alike, and prompts without one are refused."""

import numpy as np
import pytest

from ml_audio.effects import EFFECTS, find_effects, generate_effect
from ml_audio.effects.noise import SAMPLE_RATE_HZ
from shared.errors import InvalidRequest


def spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mono = sound.mean(axis=1)
    power = np.abs(np.fft.rfft(mono)) ** 2
    return power / power.sum(), np.fft.rfftfreq(len(mono), 1 / SAMPLE_RATE_HZ)


def share(sound: np.ndarray, low_hz: float, high_hz: float) -> float:
    power, frequencies = spectrum(sound)
    return float(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum())


def strokes_per_s(sound: np.ndarray) -> float:
    """How often the envelope rises through half of its highest, with 0.2 s between two."""
    hop = SAMPLE_RATE_HZ // 100
    level = np.sqrt(np.mean(sound[: len(sound) // hop * hop].mean(axis=1).reshape(-1, hop) ** 2, axis=1))
    ups = np.flatnonzero((level[1:] > level.max() / 2) & (level[:-1] <= level.max() / 2))
    return (1 + int((np.diff(ups) > 20).sum())) / (len(sound) / SAMPLE_RATE_HZ)


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_sound_of_the_right_length_and_its_seed_makes_it(name):
    sound = generate_effect(name, 2.0, seed=1)
    assert sound.shape == (2 * SAMPLE_RATE_HZ, 2) and sound.dtype == np.float32 and np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() < 0.9 and np.abs(sound[[0, -1]]).max() == 0
    assert np.array_equal(sound, generate_effect(name, 2.0, seed=1))
    assert not np.array_equal(sound, generate_effect(name, 2.0, seed=2))


def test_what_the_names_promise():
    assert share(generate_effect("thunder", 4, 1), 0, 200) > 0.8
    assert share(generate_effect("rain", 4, 1), 1000, 12000) > 0.9
    assert share(generate_effect("birds", 4, 1), 1500, 7000) > 0.9
    assert share(generate_effect("wind", 4, 1), 60, 1200) > 0.9
    assert strokes_per_s(generate_effect("footsteps", 6, 1)) == pytest.approx(2.0, abs=0.4)
    assert strokes_per_s(generate_effect("fast footsteps", 6, 1)) == pytest.approx(2.8, abs=0.5)


def test_a_bell_has_a_bells_partials():
    power, frequencies = spectrum(generate_effect("bell", 2.4, seed=3))
    strike = frequencies[np.argmax(power * ((frequencies > 350) & (frequencies < 600)))]
    for ratio in (1.183, 2.0):
        near = np.abs(frequencies - strike * ratio) < 6
        between = np.abs(frequencies - strike * (ratio + 0.12)) < 6
        assert power[near].max() > 30 * power[between].max()


def test_prompts_are_understood():
    assert list(find_effects("Heavy rain with distant thunder")) == ["rain", "thunder"]
    assert find_effects("heavy rain")["rain"].strength > 1 > find_effects("gentle waves")["waves"].strength
    assert list(find_effects("two dogs barking")) == ["dog"]
    assert list(find_effects("ocean surf")) == ["waves"]
    with pytest.raises(InvalidRequest, match="footsteps") as error:
        find_effects("a symphony")
    assert error.value.param == "prompt"
    for duration_s in (0.1, 301, float("nan")):
        with pytest.raises(InvalidRequest):
            generate_effect("rain", duration_s, 1)
