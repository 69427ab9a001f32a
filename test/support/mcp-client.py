"""The reference client of MCP in Python: URL, token, mode and order; prints each answer to `refund` as one line, until it was carried out."""

import asyncio
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

URL, TOKEN, MODE, ORDER = sys.argv[1:5]


async def main() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode=MODE) as client:
            tools = await client.list_tools()
            print("tools", *sorted(tool.name for tool in tools.tools), flush=True)
            while True:
                result = await client.call_tool("refund", {"order": int(ORDER), "cents": 500})
                text = result.content[0].text
                print(text.replace("\n", " "), flush=True)
                if not text.startswith("PENDING"):
                    return
                # an agent's turn: somebody says that it was decided
                await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


asyncio.run(main())
