"""The nouns and interfaces that every folder shares: steps, actions, reports, errors. Pure."""
