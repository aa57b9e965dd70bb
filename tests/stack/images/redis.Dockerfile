# Stands in for redis:VERSION-bookworm: Debian's redis-tools carries the whole server (voicestack/setup/redis_server.py).
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends redis-tools \
    && ln -s /usr/bin/redis-check-rdb /usr/local/bin/redis-server \
    && rm -rf /var/lib/apt/lists/*
