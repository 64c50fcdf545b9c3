"""A screenshot with at most 256 colours, a third of the size: what goes into the documentation. Not a test itself."""

import struct
import zlib
from collections import Counter
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def reduce_colours(path: Path) -> None:
    """Rewrite a PNG of 8-bit RGB or RGBA, as browsers write it, with a palette; rare colours become the nearest one."""
    width, height, channels, pixels = _read(path.read_bytes())
    colours = [bytes(pixels[at : at + 3]) for at in range(0, len(pixels), channels)]
    counted = Counter(colours)
    palette = [colour for colour, _ in counted.most_common(256)]
    index = {colour: _nearest(colour, palette) for colour in counted}
    rows = (colours[at : at + width] for at in range(0, len(colours), width))
    body = b"".join(b"\0" + bytes(index[colour] for colour in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(body, 9)),
        (b"IEND", b""),
    )
    path.write_bytes(_SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks))


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(
        range(len(palette)),
        key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at], strict=True)),
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _read(png: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, channels and the pixels in rows."""
    at, data, header = len(_SIGNATURE), b"", b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        content = png[at + 8 : at + 8 + size]
        header, data = (content, data) if kind == b"IHDR" else (header, data + content * (kind == b"IDAT"))
        at += size + 12
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    assert (depth, colour in (2, 6)) == (8, True), "an 8-bit RGB or RGBA picture"
    channels = 3 if colour == 2 else 4
    return width, height, channels, _unfiltered(zlib.decompress(data), width * channels, channels)


def _unfiltered(raw: bytes, stride: int, step: int) -> bytes:
    """The filters of the PNG specification undone (www.w3.org/TR/png/#9Filters)."""
    done, above = bytearray(), bytes(stride)
    for start in range(0, len(raw), stride + 1):
        row = bytearray(raw[start + 1 : start + 1 + stride])
        kind = raw[start]
        for at in range(stride):
            left = row[at - step] if at >= step else 0
            corner = above[at - step] if at >= step else 0
            row[at] = (row[at] + _predicted(kind, left, above[at], corner)) & 255
        done += row
        above = bytes(row)
    return bytes(done)


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind < 4:
        return (0, left, above, (left + above) // 2)[kind]
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))
