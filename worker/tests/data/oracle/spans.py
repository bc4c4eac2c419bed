"""Writes spans.json: which tokens T5 masks, for `src/train/corruption.rs`. `python3 spans.py > spans.json`

Written after the description of the algorithm in T5's own preprocessing
(google-research/text-to-text-transfer-transformer, t5/data/preprocessors.py: `random_spans_noise_mask`, and
`span_corruption` with a density of 0.15 and a mean length of 3; Raffel et al. 2020, section 3.3.4), not after our code
and not copied from theirs:

* of n tokens, round(n x density) are noise, at least 1 and at most n - 1;
* they lie in round(noise / mean length) spans, at least 1;
* both numbers are computed in single precision and rounded half to even, as TensorFlow does;
* noise and other tokens are each cut into as many pieces as there are spans: of the places between two tokens, so many
  are borders, all choices equally likely; every piece has a token;
* the pieces take turns, other tokens first, so that the first token is kept and the last one is noise.
"""

import json
import random
import struct
from collections import Counter


def single(number):
    """The nearest single-precision number."""
    return struct.unpack("f", struct.pack("f", number))[0]


def half_even(number):
    return round(number)  # Python's own rule for floats


def counts(length, density, mean):
    # Products and quotients of two singles are rounded once: first exactly (or to double precision), then to single.
    noise = half_even(single(single(length) * single(density)))
    noise = min(max(noise, 1), length - 1)
    spans = max(half_even(single(single(noise) / single(mean))), 1)
    return noise, spans


def cut(items, pieces, generator):
    """The lengths of the pieces: a shuffled row of flags says before which of the later items a new piece begins."""
    flags = [place < pieces - 1 for place in range(items - 1)]
    generator.shuffle(flags)
    lengths = [1]
    for begins in flags:
        if begins:
            lengths.append(1)
        else:
            lengths[-1] += 1
    return lengths


def mask(length, density, mean, generator):
    noise, spans = counts(length, density, mean)
    noisy, kept = cut(noise, spans, generator), cut(length - noise, spans, generator)
    return [flag for pair in zip(kept, noisy) for flag, count in zip((False, True), pair) for _ in range(count)]


def runs(flags, wanted):
    """The lengths of the unbroken runs of this flag."""
    found, before = [], None
    for flag in flags:
        if flag == wanted:
            if before == wanted:
                found[-1] += 1
            else:
                found.append(1)
        before = flag
    return found


def main():
    generator = random.Random(20)
    settings = []
    for density, mean in [(0.15, 3.0), (0.5, 2.0), (0.3, 4.5)]:
        rows = []
        for length in list(range(2, 260)) + [512, 570, 1190]:
            flags = mask(length, density, mean, generator)
            noise, spans = counts(length, density, mean)
            assert len(flags) == length and sum(flags) == noise and len(runs(flags, True)) == spans
            assert flags[-1] and not flags[0]
            rows.append([length, noise, spans])
        settings.append({"noise": density, "span": mean, "length_noise_spans": rows})
    draws, length = 40_000, 64
    noisy, kept = Counter(), Counter()
    for _ in range(draws):
        flags = mask(length, 0.15, 3.0, generator)
        noisy.update(runs(flags, True))
        kept.update(runs(flags, False))
    drawn = {"length": length, "draws": draws, "noise": sorted(noisy.items()), "kept": sorted(kept.items())}
    lists = ",\n".join(json.dumps(setting) for setting in settings)
    print(f'{{"settings": [\n{lists}\n],\n"drawn": {json.dumps(drawn)}}}')


main()
