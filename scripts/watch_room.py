"""Who comes and goes in a room, and what is said. Example: scripts/watch_room.py kitchen."""

from voicestack.cli.frame import single
from voicestack.cli.watch import watch_room

if __name__ == "__main__":
    single(watch_room)()
