"""Softphones that register: Kamailio's tables, and the way to a phone."""
