#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""An independent WebRTC peer for tests: publishes by WHIP, plays by WHEP.

Its stack (aiortc, OpenSSL, libsrtp, libvpx, libopus, all from Debian) shares no
code with the box. One JSON line of counters goes to standard output every
second, the last one has "done": true. Needs the Debian package python3-aiortc.

    peer.py --whip https://box/whip --whep https://box/whep --token T --ca ca.pem --seconds 5
"""

import argparse
import asyncio
import fractions
import ipaddress
import json
import math
import ssl
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import aioice.ice
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc import rtcdtlstransport as dtls

WIDTH, HEIGHT, RATE = 320, 240, 48000
PATIENCE = 90  # s for an answer by HTTP: a busy machine is no fault of the box


def use_aead(profile):
    """aiortc 1.4 knows AES128_CM_HMAC_SHA1_80 only; libsrtp below it knows more."""
    if profile == "sha1":
        return
    bits = {"gcm256": 256, "gcm128": 128}[profile]
    number = getattr(dtls.Policy, f"SRTP_PROFILE_AEAD_AES_{bits}_GCM")
    dtls.SRTP_KEY_LEN, dtls.SRTP_SALT_LEN = bits // 8, 12  # RFC 7714 section 12

    class Policy(dtls.Policy):
        def __init__(self, key, ssrc_type):
            super().__init__(key=key, ssrc_type=ssrc_type, srtp_profile=number)

    plain = dtls.RTCCertificate._create_ssl_context

    def context(self):
        ctx = plain(self)
        ctx.set_tlsext_use_srtp(f"SRTP_AEAD_AES_{bits}_GCM".encode())
        return ctx

    dtls.Policy = Policy
    dtls.RTCCertificate._create_ssl_context = context


class Tone(MediaStreamTrack):
    """A sine of 440 Hz at half of full scale, 20 ms a frame."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.n, self.start = 0, None

    async def recv(self):
        count = RATE // 50
        if self.start is None:
            self.start = time.time()
        await asyncio.sleep(max(0, self.start + self.n / RATE - time.time()))
        wave = (int(16384 * math.sin(2 * math.pi * 440 * (self.n + i) / RATE)) for i in range(count))
        frame = av.AudioFrame(format="s16", layout="mono", samples=count)
        frame.planes[0].update(struct.pack(f"<{count}h", *wave))
        frame.pts, frame.sample_rate, frame.time_base = self.n, RATE, fractions.Fraction(1, RATE)
        self.n += count
        return frame


class Bars(MediaStreamTrack):
    """A bar that moves over a picture of one brightness, 15 pictures a second."""

    kind = "video"

    def __init__(self, luma):
        super().__init__()
        self.luma, self.n, self.start = luma, 0, None

    async def recv(self):
        if self.start is None:
            self.start = time.time()
        await asyncio.sleep(max(0, self.start + self.n / 15 - time.time()))
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for i, plane in enumerate(frame.planes):
            row = bytearray([self.luma if i == 0 else 128]) * plane.line_size
            if i == 0:
                at = (self.n * 8) % (WIDTH - 16)
                row[at : at + 16] = b"\x10" * 16
            plane.update(bytes(row) * plane.height)
        frame.pts, frame.time_base = self.n * 6000, fractions.Fraction(1, 90000)
        self.n += 1
        return frame


def middle(frame):
    """The mean brightness of the picture's centre, 0..255."""
    plane = frame.reformat(format="yuv420p").planes[0]
    data, at = bytes(plane), plane.line_size * (frame.height // 2)
    return round(sum(data[at : at + frame.width]) / frame.width)


def peak(frame):
    """The largest sample of a sound frame, 0..1."""
    data = bytes(frame.planes[0])
    samples = struct.unpack(f"<{len(data) // 2}h", data[: len(data) // 2 * 2])
    return round(max(map(abs, samples), default=0) / 32768, 3)


async def watch(track, counters):
    """Decodes a received track and counts."""
    while True:
        try:
            frame = await track.recv()
        except Exception as end:  # aiortc ends a track with MediaStreamError
            counters["end"] = type(end).__name__
            return
        counters["frames"] += 1
        if track.kind == "video":
            counters.update(width=frame.width, height=frame.height, luma=middle(frame))
        else:
            counters["level"] = peak(frame)


class Session:
    """One WHIP or WHEP session."""

    def __init__(self, url, token, tls):
        self.url, self.token, self.tls = url, token, tls
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.location, self.tasks, self.tracks = None, [], []
        self.pc.on("track", self.received)

    def received(self, track):
        counters = {"kind": track.kind, "frames": 0}
        self.tracks.append(counters)
        self.tasks.append(asyncio.ensure_future(watch(track, counters)))

    def request(self, method, url, body=None):
        head = {"Authorization": "Bearer " + self.token}
        if body is not None:
            head["Content-Type"] = "application/sdp"
        req = urllib.request.Request(url, data=body, method=method, headers=head)
        with urllib.request.urlopen(req, context=self.tls, timeout=PATIENCE) as res:
            return res.headers, res.read().decode()

    async def start(self):
        await self.pc.setLocalDescription(await self.pc.createOffer())
        body = self.pc.localDescription.sdp.encode()
        loop = asyncio.get_event_loop()
        headers, answer = await loop.run_in_executor(None, self.request, "POST", self.url, body)
        self.location = urllib.parse.urljoin(self.url, headers["Location"])
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def counters(self):
        sent = 0
        for report in (await self.pc.getStats()).values():
            if report.type == "outbound-rtp":
                sent += report.packetsSent
        return {"state": self.pc.connectionState, "sent": sent, "tracks": self.tracks}

    async def stop(self):
        if self.location:
            loop = asyncio.get_event_loop()
            try:
                await loop.run_in_executor(None, self.request, "DELETE", self.location)
            except urllib.error.HTTPError as gone:
                if gone.code != 404:  # the box has ended it first
                    raise
        await self.pc.close()
        for task in self.tasks:
            task.cancel()


async def run(args):
    tls = ssl.create_default_context(cafile=args.ca) if args.ca else None
    sessions = {}
    if args.whip:
        sessions["publish"] = s = Session(args.whip, args.token, tls)
        s.pc.addTrack(Tone())
        s.pc.addTrack(Bars(args.luma))
    if args.whep:
        sessions["play"] = s = Session(args.whep, args.play_token or args.token, tls)
        for kind, count in (("video", args.video), ("audio", args.audio)):
            for _ in range(count):
                s.pc.addTransceiver(kind, direction="recvonly")
    end = time.time() + args.seconds
    try:
        for s in sessions.values():
            await s.start()
        while True:
            await asyncio.sleep(min(args.every, max(0, end - time.time())))
            line = {name: await s.counters() for name, s in sessions.items()}
            line["done"] = time.time() >= end
            print(json.dumps(line), flush=True)
            if line["done"]:
                return
    finally:
        for s in sessions.values():
            await s.stop()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--whip", help="URL to publish to")
    p.add_argument("--whep", help="URL to play from")
    p.add_argument("--token", required=True, help="bearer token")
    p.add_argument("--play-token", help="bearer token for playing, when it is somebody else's")
    p.add_argument("--ca", help="PEM file of the box's CA")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--every", type=float, default=1, help="seconds between two lines")
    p.add_argument("--video", type=int, default=1, help="pictures to play")
    p.add_argument("--audio", type=int, default=1, help="sounds to play")
    p.add_argument("--luma", type=int, default=200, help="brightness of the published picture, 16..235")
    p.add_argument("--srtp", choices=["gcm256", "gcm128", "sha1"], default="gcm256")
    args = p.parse_args()
    use_aead(args.srtp)
    host = urllib.parse.urlsplit(args.whip or args.whep or "").hostname
    if host == "localhost" or (host and host[0].isdigit() and ipaddress.ip_address(host).is_loopback):
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    try:
        asyncio.run(run(args))
    except urllib.error.HTTPError as err:
        print(json.dumps({"error": err.code, "detail": err.read().decode()}), flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
