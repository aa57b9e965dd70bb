"""The operator's library: settings, ports, credentials, lines, the phone, set-up."""
