"""A board that holds a design: what is sent to it, what it answers, and what that says of the design."""
