"""Words into speech, by espeak-ng through ctypes.

espeak-ng is GPL-3 and comes with the ``stack`` group only: no part of the production image loads it.
"""

import ctypes
import threading
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager

import espeakng_loader
import numpy as np
import numpy.typing as npt
import soxr

Samples = npt.NDArray[np.int16]

SAMPLE_RATE = 8000

_SYNCHRONOUS = 2
_BY_CHARACTER = 1
_UTF8 = 1
_PARAMETER_RATE = 1
_SLOWEST, _FASTEST = 80, 450
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

# espeak-ng keeps one voice and one output for the whole process.
_one_at_a_time = threading.Lock()


class SpeechError(RuntimeError):
    """espeak-ng could not be started, does not know the voice, or refused the text."""


@contextmanager
def _engine() -> Iterator[ctypes.CDLL]:
    """The library, loaded afresh (8 ms): it carries phases of its waves from one text to the next, and nothing less makes its output repeatable."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        yield library
    finally:
        library.espeak_Terminate()
        dlclose(library._handle)  # noqa: SLF001 (ctypes offers no other way to unload)


def _speak(library: ctypes.CDLL, text: bytes, voice: str, words_per_minute: int) -> tuple[Samples, int]:
    heard = bytearray()

    def hear(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if count > 0:
            heard.extend(ctypes.string_at(samples, count * 2))
        return 0

    callback = _CALLBACK(hear)
    rate: int = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        msg = f"espeak-ng did not start (code {rate})"
        raise SpeechError(msg)
    library.espeak_SetSynthCallback(callback)
    library.espeak_ng_SetRandSeed(1)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        msg = f"espeak-ng has no voice {voice!r}"
        raise SpeechError(msg)
    library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
    code = library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, _BY_CHARACTER, 0, _UTF8, None, None)
    if code != 0 or library.espeak_Synchronize() != 0:
        msg = f"espeak-ng did not speak (code {code})"
        raise SpeechError(msg)
    return np.frombuffer(bytes(heard), dtype=np.int16), rate


def synthesise(text: str, voice: str, rate: int) -> Samples:
    """Speak a text.

    The same arguments give the same samples. Safe from any thread; one text is spoken at a time, some hundred times faster than it would be heard.

    Args:
        text: what to say, in the language of the voice; empty gives silence of no length.
        voice: an espeak-ng voice with an optional variant, as ``en-us`` or ``en-us+f3``.
        rate: words per minute, 80 to 450.

    Returns:
        Mono int16 samples at 8 kHz (`SAMPLE_RATE`).

    Raises:
        ValueError: the rate is outside its range.
        SpeechError: espeak-ng does not start, or has no such voice.
    """
    if not _SLOWEST <= rate <= _FASTEST:
        msg = f"{rate} words per minute is not between {_SLOWEST} and {_FASTEST}"
        raise ValueError(msg)
    if not text.strip():
        return np.zeros(0, np.int16)
    with _one_at_a_time, _engine() as library:
        spoken, spoken_rate = _speak(library, text.encode(), voice, rate)
    return np.asarray(soxr.resample(spoken, spoken_rate, SAMPLE_RATE), dtype=np.int16)
