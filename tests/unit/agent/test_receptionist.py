"""The receptionist's words and notes."""

import json
from pathlib import Path

from voice_agent.agents import desk, receptionist
from voice_agent.settings import AgentSettings


def test_knows_name_and_hours(agent_settings: AgentSettings) -> None:
    """Instructions and greeting carry the business's own facts."""
    settings = agent_settings.model_copy(update={"business_name": "Harbor Dental"})
    agent = receptionist.Receptionist(settings)
    assert "Harbor Dental" in agent.instructions
    assert settings.opening_hours in agent.instructions
    assert "Harbor Dental" in receptionist.greeting(settings)


def test_has_its_tools(agent_settings: AgentSettings) -> None:
    """Opening hours, message, keys, end of call; no transfer where no target is listed."""
    agent = receptionist.Receptionist(agent_settings)
    names = {tool.info.name for tool in agent.tools}  # type: ignore[union-attr]
    assert names == {"opening_hours", "take_message", "read_keys", "end_call"}


def test_messages_are_for_the_operator_alone(tmp_path: Path) -> None:
    """One file per message, 0600, nothing overwritten."""
    folder = tmp_path / "messages"
    first = desk.save_message(folder, room="call-1", text="please call back")
    desk.save_message(folder, room="call-1", text="once more")
    assert first.stat().st_mode & 0o777 == 0o600
    texts = [json.loads(line)["message"] for file in folder.iterdir() for line in file.open()]
    assert sorted(texts) == ["once more", "please call back"]
