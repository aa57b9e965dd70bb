"""A small real MCP server, by the `mcp` package: `python crm_server.py [stdio|http PORT]`."""

import asyncio
import os
import sys

from mcp.server import MCPServer

server = MCPServer("crm")


@server.tool()
def find_order(order: str, customer_id: str) -> str:
    """Find an order of a customer."""
    return f"Order {order} of {customer_id} is on its way."


@server.tool()
def forget_customer(customer_id: str) -> str:
    """Forget a customer for good."""
    return f"{customer_id} is forgotten."


@server.tool()
async def slow() -> str:
    """Take for ever."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def big() -> str:
    """Return ten megabytes."""
    return "word " * 2_000_000


@server.tool()
def refuse() -> str:
    """Raise."""
    raise ValueError("no such thing")


@server.tool()
def die() -> str:
    """End the server in the middle of it."""
    os._exit(3)


@server.tool()
def environment() -> str:
    """Tell what the server can see of its parent's variables."""
    return " ".join(sorted(os.environ))


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
