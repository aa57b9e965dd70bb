"""Knock at every TCP port of a host: `python scan.py HOST` prints those that open, as JSON.

A plain script without imports of ours: it runs on the other host, which has nothing of ours.
"""

import json
import socket
import sys

CONNECT_S = 1.0


def opens(host: str, port: int) -> bool:
    """Closed ports refuse at once; one that drops packets would take the whole second."""
    with socket.socket() as sock:
        sock.settimeout(CONNECT_S)
        return sock.connect_ex((host, port)) == 0


if __name__ == "__main__":
    print(json.dumps([port for port in range(1, 65536) if opens(sys.argv[1], port)]))
