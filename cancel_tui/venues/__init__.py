"""One module per venue kind: its wire turned into the vocabulary and back. No policy lives here."""
