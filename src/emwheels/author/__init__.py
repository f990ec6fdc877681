"""Writes and changes recipes; nothing below knows it."""
