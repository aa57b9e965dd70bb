"""Whisper as an engine, without LiveKit: `python -m faster_whisper_engine` starts in a third of the
time and half of the memory that importing the framework would take.

whisper decodes, quality doubts, transcriber decides, scheduler orders, server listens.
"""
