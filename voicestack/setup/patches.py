"""Corrections to modules whose released versions lack them, made to a copy before a build."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from voicestack.setup.errors import SetupError

# What `go build` reads beside the packages: the main module.
MAIN_MODULE = ("go.mod", "go.sum", "main.go")


@dataclass(frozen=True, slots=True)
class Patch:
    """One line of one file; it must be there exactly once, so that another version is noticed."""

    module: str
    file: str
    line: str
    replacement: str

    @property
    def package(self) -> str:
        """Name the package that the file is in."""
        return str(PurePosixPath(self.module, self.file).parent)

    def apply(self, source: Path) -> None:
        """Correct the file below a module's folder."""
        path = source / self.file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if (count := text.count(self.line)) != 1:
            raise SetupError(
                f"{self.module}/{self.file} holds `{self.line}` {count} times, not once:"
                " this version is not the one that the patch was made for, and nothing was built",
                hint="docs/decisions/sip-allow-list.md says how to see whether a version needs it;"
                " change or remove it in voicestack/setup/patches.py",
            )
        path.write_text(text.replace(self.line, self.replacement), encoding="utf-8")


# protocol v1.50.5-0.20260728075222-28e604c046c6, sip/sip.go, matchAddrMasks: `host` is what the
# caller writes into From, so whoever writes the text of an allowed network there passes as one of
# it. protocol v1.53.2 has it right (#1889). More: docs/decisions/sip-allow-list.md.
ALLOW_LIST_MEANS_PACKETS = Patch(
    module="github.com/livekit/protocol",
    file="sip/sip.go",
    line="if mask == host || matchAddrMask(ip, mask) {",
    replacement="if matchAddrMask(ip, mask) {",
)

# sip v1.8.0, pkg/sip/inbound.go and outbound.go: a re-INVITE moves the media and is otherwise not
# looked at, so a phone that puts us on hold looks dead, and is hung up on after `media_timeout`.
# Now its participant says so (`sip.hold`), and silence is no fault. More: docs/decisions/hold.md.
HOLD = """\
	tellHold(c.media, c.lkRoom, body)
}

// tellHold: RFC 3264 8.4, and 0.0.0.0 as before it.
func tellHold(media *MediaPort, room RoomInterface, body []byte) {
	if len(body) == 0 || media == nil || room == nil {
		return
	}
	sdp := "\\n" + string(body)
	held := strings.Contains(sdp, "\\na=sendonly") || strings.Contains(sdp, "\\na=inactive") ||
		strings.Contains(sdp, "\\nc=IN IP4 0.0.0.0")
	if !held { // or the silence of the hold would count
		media.lastPacketTime.Store(time.Now().UnixNano())
	}
	media.EnableTimeout(!held)
	if r := room.Room(); r != nil && r.LocalParticipant != nil {
		r.LocalParticipant.SetAttributes(map[string]string{"sip.hold": strconv.FormatBool(held)})
	}
"""
INBOUND_REMOTE = "	updateRemoteFromSDP(c.media, c.log(), c.mediaCodecs, body)\n"
OUTBOUND_REMOTE = "	updateRemoteFromSDP(c.media, c.log, c.sipConf.mediaConfig.Codecs, body)\n"
HOLD_IS_TOLD = (
    Patch("github.com/livekit/sip", "pkg/sip/inbound.go", INBOUND_REMOTE, INBOUND_REMOTE + HOLD),
    Patch(
        "github.com/livekit/sip",
        "pkg/sip/outbound.go",
        OUTBOUND_REMOTE,
        OUTBOUND_REMOTE + "	tellHold(c.media, c.lkRoom, body)\n",
    ),
)


# sip v1.8.0, pkg/sip/service.go, Start: certificates are read at the start, and never again, while
# Caddy renews them. Now each connection gets the newest that is there; one that Caddy has not made
# yet is no fault. More: docs/decisions/sip-tls.md.
READ_ONCE = "			cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)\n"
GIVEN_ONCE = "			Certificates: certs,\n"
NEWEST = """\
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				var newest *tls.Certificate
				var failed error
				for _, c := range tconf.Certs {
					pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
					if err != nil {
						failed = err
					} else if newest == nil || pair.Leaf.NotBefore.After(newest.Leaf.NotBefore) {
						newest = &pair
					}
				}
				if newest == nil {
					return nil, failed
				}
				return newest, nil
			},
"""
CERTIFICATES_STAY_FRESH = (
    Patch(
        "github.com/livekit/sip",
        "pkg/sip/service.go",
        READ_ONCE,
        READ_ONCE
        + "			if os.IsNotExist(err) {\n				continue\n			}\n",
    ),
    Patch("github.com/livekit/sip", "pkg/sip/service.go", GIVEN_ONCE, NEWEST),
)


# sip v1.8.0 with media-sdk v0.0.0-20260723010325-966281e07f53: between a phone's 8 kHz and a room's
# 48 kHz the resampler (libsoxr) works in blocks of its own, and hands on what fills whole frames:
# three frames late towards the room and two towards the phone. With its smallest blocks it is one
# frame each way, of the same filter: 60 ms less per turn. More: docs/decisions/gateway-delay.md.
BLOCKS = "	rc := C.soxr_runtime_spec(1) // 1 thread\n"
# pkg/sip/room.go: a mixer waits for three frames of each track and keeps up to five, so whatever
# once came late is heard 100 ms late for the rest of the call. Now it waits for two, keeps three.
MIXED = "mixer.NewMixer(r.out, rtp.DefFrameDur, 1, "
SOUND_IS_NOT_HELD_BACK = (
    Patch(
        "github.com/livekit/media-sdk",
        "resample_soxr.go",
        BLOCKS,
        BLOCKS + "	rc.log2_min_dft_size = 8\n",
    ),
    Patch(
        "github.com/livekit/sip",
        "pkg/sip/room.go",
        MIXED,
        MIXED + "mixer.WithInputBufferFrames(3), ",
    ),
)


@contextmanager
def patched(
    folder: Path, patches: Sequence[Patch], sources: Mapping[str, Path], build: Path
) -> Iterator[Path]:
    """Give the folder to build in: the main module's own, or a copy that uses patched modules.

    A copy, since the module cache is write-protected and `go build -overlay` refuses its files.
    The copies lie below `build`, so that the path that Go records in the program (`=> ./...`,
    which -trimpath keeps) is the same on every machine.
    """
    if not patches:
        yield folder
        return
    shutil.rmtree(build, ignore_errors=True)  # of a run that was killed
    try:
        copy_files(folder, build, MAIN_MODULE)
        for patch in patches:
            copy = build / patch.module
            if not copy.exists():
                source = sources[patch.module]
                files = [path for path in source.rglob("*") if path.is_file()]
                copy_files(source, copy, [str(path.relative_to(source)) for path in files])
                with (build / "go.mod").open("a") as main:
                    main.write(f"\nreplace {patch.module} => ./{patch.module}\n")
            patch.apply(copy)
        yield build
    finally:
        shutil.rmtree(build, ignore_errors=True)


def copy_files(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy what is there, without the write protection of the module cache."""
    for name in names:
        if (source / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
