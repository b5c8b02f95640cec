"""One HTTP exchange of SDP, off the loop."""

import asyncio
import urllib.request


async def post_offer(url: str, sdp: str) -> str:
    """WHIP or WHEP: the answer to an offer."""

    def call() -> str:
        request = urllib.request.Request(url, sdp.encode(), {"Content-Type": "application/sdp"}, method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 201
            return response.read().decode()

    return await asyncio.to_thread(call)
