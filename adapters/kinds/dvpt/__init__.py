"""Prompts with a Meta-Net (DVPT), or without one (VPT)."""
