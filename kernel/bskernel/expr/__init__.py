"""The language of conditions: gates, requirements, `when`. Pure."""
