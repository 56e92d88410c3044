"""The ports that every model and vendor implements, and the stages that place them in a pipeline."""
