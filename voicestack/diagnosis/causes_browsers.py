"""Causes on the way of a browser: names, signalling, addresses, relay, sound."""

from voicestack.diagnosis.cause import Cause

DNS, BROWSERS = "DNS", "browsers"

TABLE: tuple[Cause, ...] = (
    Cause(
        "DNS001",
        DNS,
        "a name of this stack has no address",
        "DOMAIN or TURN_DOMAIN is in no DNS that this machine asks: browsers find nothing, and no "
        "certificate is issued for it",
        "add an A record for it that says NODE_IP",
    ),
    Cause(
        "DNS002",
        DNS,
        "a name of this stack leads elsewhere",
        "browsers, and the authority that certifies the name, ask another machine",
        "correct the A record, or NODE_IP; old answers live on for the record's TTL",
    ),
    Cause(
        "DNS003",
        DNS,
        "a name has an AAAA record, and nobody answers there",
        "the stack speaks IPv4; browsers that prefer IPv6 wait, or give up",
        "remove the AAAA record",
    ),
    Cause(
        "WEB001",
        BROWSERS,
        "nobody can join a room",
        "livekit-server's API answers, its signalling does not let a client in",
        "`make logs S=livekit`",
    ),
    Cause(
        "WEB002",
        BROWSERS,
        "the page does not come",
        "TLS is in order, what Caddy passes on is not: control does not answer, or the Caddyfile "
        "has other routes",
        "`make logs S=caddy` and `make logs S=control`",
    ),
    Cause(
        "WEB003",
        BROWSERS,
        "signalling does not pass Caddy",
        "a client can join on this machine, and not through the HTTPS port: something on the way "
        "takes no WebSocket",
        "a proxy of your own in front must pass Upgrade on and be patient; `make logs S=caddy`",
    ),
    Cause(
        "ICE001",
        BROWSERS,
        "the media server names no address for UDP",
        "browsers and the agent have nowhere to send sound",
        "`rtc:` of livekit.yaml: `udp_port`, `ips`; `make down && make up` renders it anew",
    ),
    Cause(
        "ICE002",
        BROWSERS,
        "the media server names a wrong address",
        "browsers send their sound there and get none back (a container's address, one from "
        "before a move, one found by STUN)",
        "set NODE_IP to the address that browsers reach, `make down && make up`",
    ),
    Cause(
        "ICE003",
        BROWSERS,
        "a public stack names a private address",
        "the page is for everybody, the sound only for this network",
        "set NODE_IP to the public address that DOMAIN stands for, `make down && make up`",
    ),
    Cause(
        "ICE004",
        BROWSERS,
        "the media port does not answer over UDP",
        "packets to `livekit_udp` or answers from it are dropped on this machine",
        "a firewall on this machine? `nft list ruleset`; docs/firewall.md has the rules",
    ),
    Cause(
        "ICE005",
        BROWSERS,
        "the media port does not answer over TCP",
        "browsers whose network lets no UDP through have the relay alone, or nothing",
        "open `livekit_tcp` of docs/ports.md, and put no TLS proxy in front of it",
    ),
    Cause(
        "ICE006",
        BROWSERS,
        "the media server asks a STUN server for its address, and gets none",
        "with `use_external_ip: true` it waits for that, and ends: without the internet, or behind "
        "a firewall that lets no UDP out, it never starts",
        "`use_external_ip: false` and NODE_IP; `make down && make up` renders both",
    ),
    Cause(
        "ICE007",
        BROWSERS,
        "browsers are sent to a STUN server of somebody else",
        "each call tells a third party who calls; without the internet it begins late, or never",
        "`stun_servers:` of livekit.yaml; `make down && make up` renders it without",
    ),
    Cause(
        "RLY001",
        BROWSERS,
        "the server names no such relay",
        "`turn:` of livekit.yaml is off or incomplete, so browsers never hear of it",
        "`make down && make up` renders it anew",
    ),
    Cause(
        "RLY002",
        BROWSERS,
        "the relay does not answer over UDP",
        "packets to `turn_udp` are dropped on this machine, or nothing listens",
        "open `turn_udp` of docs/ports.md; `make logs S=livekit`",
    ),
    Cause(
        "RLY003",
        BROWSERS,
        "the relay refuses the credentials that the server gave",
        "another TURN server has the port, or two servers share it",
        "`ss -ulpn` shows who listens on `turn_udp`",
    ),
    Cause(
        "RLY004",
        BROWSERS,
        "the relay does not lead to the media server",
        "it takes everybody in and then refuses the one peer that matters: private peers are "
        "denied unless listed (livekit-server 1.12 and later)",
        "`turn:` of livekit.yaml: NODE_IP in `allow_restricted_peer_cidrs`, not in "
        "`deny_peer_cidrs`; `make down && make up` renders both",
    ),
    Cause(
        "RLY005",
        BROWSERS,
        "nothing comes back through the relay",
        "the relay sends from an address or port that cannot reach the media server",
        "`turn_relay` of docs/ports.md must be open on this machine itself; is NODE_IP right?",
    ),
    Cause(
        "RLY006",
        BROWSERS,
        "the relay leads to strangers",
        "who may use it reaches more than the media server: this machine's loopback, the network "
        "behind it, or everybody",
        "`deny_peer_cidrs` of livekit.yaml; `make down && make up` renders it anew",
    ),
    Cause(
        "RLY007",
        BROWSERS,
        "the relay takes everybody for this machine itself",
        "it is reached over loopback: Firefox then refuses to use it (livekit/livekit #656)",
        "Caddy must lead to this machine's own address, not to 127.0.0.1 (caddy/Caddyfile.j2)",
    ),
    Cause(
        "RLY008",
        BROWSERS,
        "there is no relay behind TLS",
        "what answers under TURN_DOMAIN on the HTTPS port is not the relay: the page, a proxy "
        "that does not look at names, or nothing",
        "Caddy needs its layer4 module and the rendered Caddyfile; `make logs S=caddy`",
    ),
    Cause(
        "RLY009",
        BROWSERS,
        "the relay cannot be set up, and the media server ends with it",
        "`turn:` of livekit.yaml names no port, or TLS without a certificate and without Caddy "
        "before it",
        "`udp_port`, and `external_tls: true`; `make down && make up` renders both",
    ),
    Cause(
        "SND001",
        BROWSERS,
        "a client joins and gets no sound across",
        "the media port answers, and encrypted sound does not follow: WebRTC's handshake fails",
        "`make logs S=livekit`",
    ),
    Cause(
        "SND002",
        BROWSERS,
        "sound reaches the media server and nobody else",
        "one client publishes, the other hears nothing of it",
        "`make logs S=livekit`; are codecs switched off in `room:` of livekit.yaml?",
    ),
    Cause(
        "SND099",
        BROWSERS,
        "sound comes out as another one, cause unknown",
        "a tone of one height is heard at another, and the media server changes no sound",
        "`make logs S=livekit`",
    ),
)
