#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Makes a short clip for tests: a bar that moves over a pattern.

The encoded pictures go to standard output, each with its length before it (32
bits, big-endian); only the first one is a key frame. The encoders are those of
Debian's libavcodec, by way of python3-av, which python3-aiortc needs anyway.
Nothing of what they make is kept.

    clip.py h264 320 180 > clip
"""

import argparse
import fractions
import struct
import sys

import av

RATE, PICTURES = 25, 50


def options(codec, profile):
    if codec == "vp8":
        return "libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    return "libx264", {"preset": "veryfast", "tune": "zerolatency", "profile": profile}


def picture(n, width, height):
    frame = av.VideoFrame(width, height, "yuv420p")
    for i, plane in enumerate(frame.planes):
        rows = [bytes([128]) * plane.line_size] * plane.height
        if i == 0:  # a pattern that no encoder gets into one packet
            rows = [bytes(60 + ((x * x + y * y) >> 2 & 127) for x in range(plane.line_size)) for y in range(plane.height)]
            at = n * 4 % (width - 16)
            rows = [row[:at] + b"\xe0" * 16 + row[at + 16 :] for row in rows]
        plane.update(b"".join(rows))
    frame.pts, frame.time_base = n, fractions.Fraction(1, RATE)
    return frame


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("codec", choices=["h264", "vp8"])
    p.add_argument("width", type=int)
    p.add_argument("height", type=int)
    p.add_argument("--profile", default="high", help="of H.264: baseline, main or high")
    args = p.parse_args()
    name, how = options(args.codec, args.profile)
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = args.width, args.height, "yuv420p"
    encoder.time_base, encoder.bit_rate = fractions.Fraction(1, RATE), 400_000
    encoder.gop_size = 10 * PICTURES
    encoder.options = how
    pictures = [picture(n, args.width, args.height) for n in range(PICTURES)]
    for frame in [*pictures, None]:  # None: what the encoder still holds
        for packet in encoder.encode(frame):
            sys.stdout.buffer.write(struct.pack(">I", len(bytes(packet))) + bytes(packet))


if __name__ == "__main__":
    main()
