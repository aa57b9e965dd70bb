"""Phone lines: `sip/lines.yaml` read with line numbers, planned, applied through the server API."""
