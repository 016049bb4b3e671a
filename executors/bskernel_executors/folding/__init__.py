"""The best folding of a network within a budget of resources, and why it is the best one."""
