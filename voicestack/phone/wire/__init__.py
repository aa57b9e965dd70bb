"""Bytes into values and back: SIP, SDP, RTP, telephone events, G.711. No sockets, no clocks."""
