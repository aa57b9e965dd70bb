"""The always-on service: keeps the lines applied, receives webhooks of livekit-server."""
