# Our three images. compose.yaml builds them where they are missing: `docker compose build`.
#   python    set-up, control, agent and the model servers: the same locked packages as the native runtime
#   servers   livekit-server, livekit-sip and Caddy from pinned Go modules. No released image will do: the server
#             needs the patch of docs/decisions/sip-allow-list.md, the gateway those of hold.md and sip-tls.md there,
#             Caddy its layer-4 app for TURN over TLS.
#   registrar Kamailio, for softphones that register (profile registrar)

FROM python:3.11.14-slim-bookworm AS packages
# llama.cpp computes with it.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY requirements/uv.txt requirements/runtime.txt requirements/piper.txt /requirements/
# Byte code is made here: the root file system is read-only later, and every start would compile anew.
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r /requirements/uv.txt \
    && uv venv --no-cache /venv \
    && uv pip install --no-cache --compile-bytecode --python /venv --require-hashes \
        --requirements=/requirements/runtime.txt --requirements=/requirements/piper.txt
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app

FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev pkg-config libopus-dev libopusfile-dev libsoxr-dev
WORKDIR /build
COPY requirements/servers.txt requirements/go.txt requirements/
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r requirements/servers.txt
COPY tools tools
COPY voicestack/__init__.py voicestack/errors.py voicestack/
# Just what the build imports: a change of anything else compiles no server anew.
COPY voicestack/setup/__init__.py voicestack/setup/child.py voicestack/setup/errors.py voicestack/setup/files.py \
    voicestack/setup/gobuild.py voicestack/setup/gotool.py voicestack/setup/manifest.py voicestack/setup/packages.py \
    voicestack/setup/patches.py voicestack/setup/progress.py voicestack/setup/servers.py voicestack/setup/steps.py \
    voicestack/setup/
# The set-up of the native runtime: the same modules, the same patches, the same flags.
RUN VOICESTACK_CACHE=/cache python -m voicestack.setup.servers livekit-server livekit-sip caddy \
    && cp -L /cache/bin/livekit-server /cache/bin/livekit-sip /cache/bin/caddy /usr/local/bin/

FROM debian:12.12-slim AS servers
# libopus0 and what follows: livekit-sip's codecs.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libopus0 libopusfile0 libsoxr0 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/livekit-server /usr/local/bin/livekit-sip /usr/local/bin/caddy /usr/local/bin/
USER 10001:10001

FROM debian:12.12-slim AS registrar
# Debian's Kamailio: its core modules are all that registrar/kamailio.cfg.j2 loads.
RUN apt-get update && apt-get install -y --no-install-recommends kamailio && rm -rf /var/lib/apt/lists/*
USER 10001:10001

FROM packages AS python
# A volume takes the owner and mode of the folder that it is first mounted on: hence these folders.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin voicestack \
    && install -d -o 10001 -g 10001 -m 0700 /cache /state /state/secrets /state/redis /state/caddy /state/history /state/messages /state/recordings /state/registrar /state/egress /state/egress-work \
        /handed/redis /handed/livekit /handed/sip /handed/control /handed/models /handed/agent /handed/caddy /handed/registrar /handed/egress /handed/ingress
COPY voicestack/compose/with-env /usr/local/bin/
COPY . .
RUN uv pip install --no-cache --python /venv --no-deps --no-build-isolation \
        -e . -e agent/livekit-plugins-faster-whisper \
    && python -m compileall -q .
# A deploy names the version (docs/deploy.md); it stands in the record of each call.
ARG AGENT_VERSION=0.1.0
ENV HOME=/tmp AGENT_VERSION=$AGENT_VERSION
USER 10001:10001
