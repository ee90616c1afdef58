"""The command line: one module per command, one place for JSON and human output."""
