"""The published language: what services tell each other. Data only; imports nothing but pydantic."""
