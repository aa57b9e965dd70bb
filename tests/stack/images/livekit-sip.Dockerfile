# Stands in for livekit/sip:VERSION: the last stage of upstream's build/sip/Dockerfile, with our build of the same module.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends libopus0 libopusfile0 libsoxr0 ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY livekit-sip /bin/
WORKDIR /sip
ENTRYPOINT ["livekit-sip", "--config=/sip/config.yaml"]
