"""A `wrtc` viewer in a process of its own: `python -m tests.clients.wrtc_far_viewer URL VIDEOS`.

Each line of its input is answered by one of JSON: figures of all its streams. It ends with its input.
"""

import asyncio
import json
import sys
from typing import Any

from tests.clients.wrtc_client import WrtcViewer


async def figures(viewer: WrtcViewer) -> list[dict[str, Any]]:
    """What a page would tell of its inbound streams, by the same names."""
    return [
        {
            "kind": stream.kind,
            "framesDecoded": stream.frames_decoded or 0,
            "frameWidth": stream.frame_width or 0,
            "totalFreezesDuration": stream.total_freezes_duration or 0,
            "concealedSamples": stream.concealed_samples or 0,
            "silentConcealedSamples": stream.silent_concealed_samples or 0,
            "totalSamplesReceived": stream.total_samples_received or 0,
            "packetsLost": stream.packets_lost or 0,
        }
        for stream in await viewer.streams()
    ]


async def main(url: str, videos: int) -> None:
    """Watch."""
    reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    viewer = WrtcViewer()
    await viewer.start(url, videos)
    while await reader.readline():
        print(json.dumps(await figures(viewer)), flush=True)
    viewer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
