"""Ports of models and vendors, and the stages that place them in a pipeline."""
