"""The always-on service: keeps the lines applied, receives webhooks, serves the page."""
