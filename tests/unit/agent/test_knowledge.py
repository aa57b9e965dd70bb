"""What is written in the knowledge folder is found, by people's own words."""

from pathlib import Path

import pytest

from voice_agent import knowledge
from voice_agent.agents.receptionist import Receptionist
from voice_agent.settings import AgentSettings

HANDBOOK = Path(__file__).parent / "handbook"


def test_recall_on_the_labelled_questions() -> None:
    """47 of 50 when it was written (docs/decisions/knowledge.md); less is a step back."""
    library = knowledge.Library(HANDBOOK)
    lines = (HANDBOOK / "questions.tsv").read_text().splitlines()
    asked = [tuple(line.split("\t")) for line in lines]
    found = [
        heading in [each.heading for each in library.search(question)]
        for question, heading in asked
    ]
    assert len(asked) == 50
    assert sum(found) >= 47


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    """Written, changed, gone: the next question knows."""
    library = knowledge.Library(tmp_path)
    assert library.search("parrots") == []
    file = tmp_path / "pets.md"
    file.write_text("# Pets\nParrots are welcome.")
    assert [each.text for each in library.search("Are parrots welcome?")] == [
        "Parrots are welcome."
    ]
    file.write_text("# Pets\nParrots are welcome on Mondays only.")
    assert library.search("parrots")[0].text.endswith("Mondays only.")
    file.unlink()
    assert library.search("parrots") == []


def test_sources_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No link leads out, no other kind of file is read, too much is left out."""
    monkeypatch.setattr(knowledge, "MOST_FILE_BYTES", 100)
    folder = tmp_path / "knowledge"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("The secret is a parrot.")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "data.bin").write_text("parrot")
    (folder / "big.txt").write_text("parrot " * 100)
    (folder / "not-text.md").write_bytes(b"\xff\xfe parrot \x00")
    found = knowledge.Library(folder).search("parrot")
    assert [each.file for each in found] == ["not-text.md"]


@pytest.mark.parametrize(
    "question", ["", "   ", "the of and", '" OR passages:*', "a" * 10_000, "NEAR(x y)", "\x00"]
)
def test_no_question_is_a_query(question: str) -> None:
    """What callers say is words, whatever it looks like."""
    knowledge.Library(HANDBOOK).search(question)


def test_long_texts_are_cut() -> None:
    """At headings, then at paragraphs, then anywhere."""
    text = "# One\nFirst.\n\n## Two\n" + "word " * 400
    pieces = list(knowledge.passages(text))
    assert pieces[0] == ("One", "First.")
    assert {heading for heading, _ in pieces[1:]} == {"Two"}
    assert all(len(piece) <= knowledge.PASSAGE_CHARS for _, piece in pieces)


async def test_agents_can_look_up(agent_settings: AgentSettings) -> None:
    """Where a folder is set; what is not written is said to be not written."""
    assert "look_up" not in {each.id for each in Receptionist(agent_settings).tools}
    settings = agent_settings.model_copy(update={"knowledge_dir": HANDBOOK})
    assert "look_up" in {each.id for each in Receptionist(settings).tools}
    tool = knowledge.tool(HANDBOOK)
    assert "Elm Street" in await tool("Where can I park?")
    assert await tool("Quantum chromodynamics?") == knowledge.NOTHING
