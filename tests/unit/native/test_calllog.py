"""Lines of one call, found through every name that it has."""

import json
from pathlib import Path

from voicestack.native import calllog


def write(file: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + "\n")
    return file


def test_a_call_is_followed_across_services(tmp_path: Path) -> None:
    """From the id of livekit-sip to the room, to the job, to lines that name only the job."""
    files = [
        write(
            tmp_path / "sip.log",
            {"ts": 1000.5, "level": "info", "msg": "answered", "callID": "SCL_1", "room": "a"},
            {"ts": 1000.6, "level": "info", "msg": "other", "callID": "SCL_2", "room": "b"},
            "panic: no JSON",
            '{"ts": broken',
        ),
        write(
            tmp_path / "agent.log",
            {
                "timestamp": "1970-01-01T00:16:41+00:00",
                "message": "job",
                "room": "a",
                "job_id": "J",
            },
            {"timestamp": "1970-01-01T00:16:39+00:00", "message": "early", "job_id": "J"},
            {"message": "no time", "job_id": "J"},
        ),
    ]
    for wanted in ("SCL_1", "a", "J"):
        found = calllog.of_call(files, wanted)
        assert [each.phrase for each in found] == ["early", "answered", "job"]
    assert [each.service for each in found] == ["agent", "sip", "agent"]
    assert calllog.of_call(files, "SCL_3") == []
