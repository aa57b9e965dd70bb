"""`voicestack rooms`: look into rooms and change them."""

from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from livekit import api
from livekit.protocol.models import DataPacket, ParticipantInfo

from voicestack.cli.frame import Answer, AsJson, Watch, ask, group, table
from voicestack.lines.wanted import request_for
from voicestack.office import Office, OfficeError

app = group("""Look into rooms and change them.

\b
Examples:
  scripts/rooms.py list --watch
  scripts/rooms.py show call-_+15550100_x8dk2
  scripts/rooms.py create kitchen --agent receptionist
  scripts/rooms.py mute call-_+15550100_x8dk2 sip_4f1d
  scripts/rooms.py send kitchen "dinner is ready" --topic chat""")

Room = Annotated[str, typer.Argument(help="name of the room")]
Identity = Annotated[str, typer.Argument(help="identity of a participant")]


@app.command("list")
def list_(as_json: AsJson = False, watch: Watch = False) -> None:
    """List the rooms there are."""

    async def act(office: Office) -> Answer:
        async with office.livekit() as client:
            rooms = (await client.room.list_rooms(api.ListRoomsRequest())).rooms
        rows = [[each.name, each.num_participants, each.metadata] for each in rooms]
        data = {"rooms": [plain(each) for each in rooms]}
        return Answer(data, table(["room", "people", "metadata"], rows, empty="no rooms"))

    ask(act, as_json=as_json, watch=watch)


@app.command()
def show(room: Room, as_json: AsJson = False) -> None:
    """Show one room: who is in it, and which agents were asked for."""

    async def act(office: Office) -> Answer:
        async with office.livekit() as client:
            found = await room_of(client, room)
            people = await participants_of(client, room)
            dispatches = await client.agent_dispatch.list_dispatch(room)
        asked = [each.agent_name for each in dispatches]
        text = f"{room}\nagents asked for: {', '.join(asked) or 'none'}\n{_people(people)}"
        data = {
            "room": plain(found),
            "participants": [plain(each) for each in people],
            "dispatches": [plain(each) for each in dispatches],
        }
        return Answer(data, text)

    ask(act, as_json=as_json)


@app.command()
def create(
    room: Room,
    agent: Annotated[str, typer.Option(help="agent that comes into the room")] = "",
    empty_timeout_s: Annotated[int, typer.Option(help="closed when nobody came by then")] = 300,
    as_json: AsJson = False,
) -> None:
    """Make a room; one that is there already stays as it is."""

    async def act(office: Office) -> Answer:
        agents = [request_for(agent, office.settings.agent_name, "")] if agent else []
        request = api.CreateRoomRequest(name=room, empty_timeout=empty_timeout_s, agents=agents)
        async with office.livekit() as client:
            made = await client.room.create_room(request)
        return Answer({"room": plain(made)}, f"{room} is there")

    ask(act, as_json=as_json)


@app.command()
def delete(room: Room, as_json: AsJson = False) -> None:
    """Close a room; everybody in it is disconnected."""

    async def act(office: Office) -> Answer:
        async with office.livekit() as client:
            await client.room.delete_room(api.DeleteRoomRequest(room=room))
        return Answer({"deleted": room}, f"{room} is closed")

    ask(act, as_json=as_json)


@app.command()
def participants(room: Room, as_json: AsJson = False, watch: Watch = False) -> None:
    """List who is in a room."""

    async def act(office: Office) -> Answer:
        async with office.livekit() as client:
            people = await participants_of(client, room)
        return Answer({"participants": [plain(each) for each in people]}, _people(people))

    ask(act, as_json=as_json, watch=watch)


@app.command()
def mute(
    room: Room,
    identity: Identity,
    off: Annotated[bool, typer.Option("--off", help="let the others hear it again")] = False,
    as_json: AsJson = False,
) -> None:
    """Mute what a participant sends, or unmute it."""

    async def act(office: Office) -> Answer:
        async with office.livekit() as client:
            where = api.RoomParticipantIdentity(room=room, identity=identity)
            who = await client.room.get_participant(where)
            for track in who.tracks:
                await client.room.mute_published_track(
                    api.MuteRoomTrackRequest(
                        room=room, identity=identity, track_sid=track.sid, muted=not off
                    )
                )
        if not who.tracks:
            raise OfficeError(f"{identity} sends nothing", hint="see `rooms.py participants`")
        word = "unmuted" if off else "muted"
        data = {"identity": identity, "muted": not off, "tracks": [t.sid for t in who.tracks]}
        return Answer(data, f"{identity} is {word}")

    ask(act, as_json=as_json)


@app.command()
def remove(room: Room, identity: Identity, as_json: AsJson = False) -> None:
    """Put a participant out of a room; a phone hears the call end."""

    async def act(office: Office) -> Answer:
        where = api.RoomParticipantIdentity(room=room, identity=identity)
        async with office.livekit() as client:
            await client.room.get_participant(where)  # removing nobody would be no error
            await client.room.remove_participant(where)
        return Answer({"removed": identity}, f"{identity} is out")

    ask(act, as_json=as_json)


@app.command()
def metadata(
    room: Room,
    text: Annotated[str, typer.Argument(help="what everybody in the room can read")],
    as_json: AsJson = False,
) -> None:
    """Write the metadata of a room."""

    async def act(office: Office) -> Answer:
        request = api.UpdateRoomMetadataRequest(room=room, metadata=text)
        async with office.livekit() as client:
            changed = await client.room.update_room_metadata(request)
        return Answer({"room": plain(changed)}, f"{room}: {changed.metadata}")

    ask(act, as_json=as_json)


@app.command()
def send(
    room: Room,
    text: Annotated[str, typer.Argument(help="the bytes of the message")],
    topic: Annotated[str, typer.Option(help="what receivers tell messages apart by")] = "",
    to: Annotated[list[str] | None, typer.Option(help="identities; default: everybody")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a data message to those in a room."""

    async def act(office: Office) -> Answer:
        request = api.SendDataRequest(
            room=room,
            data=text.encode(),
            kind=DataPacket.Kind.RELIABLE,
            topic=topic,
            destination_identities=to or [],
        )
        async with office.livekit() as client:
            await room_of(client, room)  # the server takes data for a room that is not there
            await client.room.send_data(request)
        return Answer({"sent_bytes": len(text.encode())}, "sent")

    ask(act, as_json=as_json)


async def room_of(client: api.LiveKitAPI, name: str) -> api.Room:
    """One room, or an error that names it."""
    found = (await client.room.list_rooms(api.ListRoomsRequest(names=[name]))).rooms
    if not found:
        raise OfficeError(f"there is no room {name}", hint="`scripts/rooms.py list` shows them")
    return found[0]


async def participants_of(client: api.LiveKitAPI, room: str) -> list[ParticipantInfo]:
    """Who is in a room."""
    await room_of(client, room)
    request = api.ListParticipantsRequest(room=room)
    return list((await client.room.list_participants(request)).participants)


def plain(message: Any) -> dict[str, Any]:
    """A message of the server API as JSON has it."""
    return dict(MessageToDict(message, preserving_proto_field_name=True))


def _people(people: list[ParticipantInfo]) -> str:
    rows = [
        [
            each.identity,
            ParticipantInfo.Kind.Name(each.kind).lower(),
            each.attributes.get("sip.callStatus", ""),
            "muted" if any(track.muted for track in each.tracks) else "",
        ]
        for each in people
    ]
    return table(["identity", "kind", "call", "sound"], rows, empty="nobody is in it")
