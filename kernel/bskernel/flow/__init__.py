"""From the flow that a build names to its steps: loaded, edited, resolved, selected. Pure but for `loader`."""
