"""Prints the numbers in the test of crates/albumen-diffusion/src/noise.rs, from a ChaCha20 of its own
(RFC 8439's block function with a counter of 64 bits) and the transform that noise.rs documents.

Nothing is random but the key (seed 7, album 3, photo 4, album weight 0.25). Made with Python 3.11 and
numpy 2.4.6: python scripts/golden/diffusion_noise.py
"""

import math
import struct

import numpy as np


def block(key, counter):
    state = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key))
    state += [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    x = list(state)

    def quarter(a, b, c, d):
        for p, q, r, n in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            x[p] = (x[p] + x[q]) & 0xFFFFFFFF
            v = x[r] ^ x[p]
            x[r] = ((v << n) | (v >> (32 - n))) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & 0xFFFFFFFF for a, b in zip(x, state)]


def gaussians(words, n):
    stream = [w for c in range(n) for w in block(struct.pack("<4Q", *words), c)]
    wide = [stream[i] | stream[i + 1] << 32 for i in range(0, len(stream), 2)]
    uniform = [(w >> 11) / 2**53 for w in wide]
    out = []
    for u, v in zip(uniform[::2], uniform[1::2]):
        r = math.sqrt(-2 * math.log(1 - u))
        out += [r * math.cos(math.tau * v), r * math.sin(math.tau * v)]
    return out[:n]


own, common = gaussians([7, 3, 4, 0], 3), gaussians([7, 3, 0, 1], 3)
print([float(np.float32(0.25**0.5 * c + 0.75**0.5 * o)) for o, c in zip(own, common)])
