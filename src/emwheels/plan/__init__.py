"""Recipes + target -> build keys, and what is to be built and why."""
