"""PESQ-WB and STOI of pairs of WAV files, 48 kHz mono.

Reads lines "clean<TAB>heard", writes "pesq stoi" for each, or "- -" where there is nothing to be scored. What is heard is later than
what was said by up to a second; each piece is aligned by itself, as delay is judged elsewhere.
"""

import sys

import numpy
from pesq import NoUtterancesError, pesq
from pystoi import stoi
from scipy.io import wavfile
from scipy.signal import correlate, resample_poly

RATE = 16_000
PESQ_PIECE = 8 * RATE
STOI_PIECE = 2 * RATE
LATEST = RATE


def read(path):
    _, samples = wavfile.read(path)
    return resample_poly(samples.astype(numpy.float64) / 32768, 1, 3)


def aligned(clean, heard, start, length):
    """A piece of the clean speech, and the piece of what was heard that is most like it."""
    piece = clean[start : start + length]
    around = numpy.pad(heard[start : start + length + LATEST], (0, LATEST))[: length + LATEST]
    late = int(numpy.argmax(correlate(around, piece, mode="valid", method="fft")))
    return piece, around[late : late + length]


def pieces(clean, heard, length):
    return [aligned(clean, heard, start, length) for start in range(0, len(clean) - length + 1, length)]


def pesq_of(clean, heard):
    scores = []
    for piece, played in pieces(clean, heard, PESQ_PIECE):
        try:
            scores.append(pesq(RATE, piece, played, "wb"))
        except NoUtterancesError:
            pass
    return numpy.mean(scores)


def stoi_of(clean, heard):
    pairs = pieces(clean, heard, STOI_PIECE)
    return stoi(numpy.concatenate([pair[0] for pair in pairs]), numpy.concatenate([pair[1] for pair in pairs]), RATE)


for line in sys.stdin:
    clean, heard = (read(path) for path in line.rstrip("\n").split("\t"))
    try:
        print(f"{pesq_of(clean, heard):.4f} {stoi_of(clean, heard):.4f}", flush=True)
    except (ValueError, ZeroDivisionError):
        print("- -", flush=True)
