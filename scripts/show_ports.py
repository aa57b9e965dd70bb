"""What a firewall must let in, to whom and why. Example: scripts/show_ports.py --format ufw."""

from voicestack.cli.frame import single
from voicestack.cli.ports import show_ports

if __name__ == "__main__":
    single(show_ports)()
