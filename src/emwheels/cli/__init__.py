"""Verbs of the command that are more than a few lines: each module adds its parser and runs it."""
