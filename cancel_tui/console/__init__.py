"""The Textual application: it shows what the desk knows and sends nothing itself."""
