"""Tests of the phone, with a scripted far end."""
