"""Who picked up a call that we placed: a person, a voicemail, or an assistant that screens."""
