"""The logs of the services, or of one call. Example: scripts/logs.py --call SCL_krGFbvaZouvF."""

from voicestack.cli.frame import single
from voicestack.cli.logs import logs

if __name__ == "__main__":
    single(logs)()
