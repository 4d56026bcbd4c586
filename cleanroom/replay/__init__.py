"""An owner's rehearsal: a corpus of queries run in throw-away rooms on the owner's own tables."""
